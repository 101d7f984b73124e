"""The TensorFlow adapter: ``import neuron_adapters.tf``, and ``tf.keras.models.load_model`` places what it loads.

It provides ``tensorflow.neuron`` and, as import names, ``tensorflow_neuron`` and ``tensorflow_neuronx``.
"""

try:
    import tensorflow as _tensorflow  # noqa: ICN001
except ModuleNotFoundError as error:
    if error.name != "tensorflow":
        raise
    raise ImportError(
        "neuron_adapters.tf needs TensorFlow, which is not installed: pip install 'neuron-adapters[tf]'"
    ) from error

import sys

from neuron_adapters import adapter as _adapter
from neuron_adapters.adapter.versions import TENSORFLOW_NEURON
from neuron_adapters.tf import _hooks, graph_util, multicore, predictor, saved_model
from neuron_adapters.tf._compile import analyze_model, auto_multicore, trace
from neuron_adapters.tf._performance import measure_performance
from neuron_adapters.tf._tf1_api import contrib as _contrib
from neuron_adapters.tf._tf1_api import fuse

__all__ = [
    "__version__", "analyze_model", "auto_multicore", "fuse", "graph_util", "install", "measure_performance",
    "multicore", "predictor", "saved_model", "trace", "uninstall",
]  # fmt: skip

__version__ = TENSORFLOW_NEURON


def install() -> bool:
    """Put the hooks in. Importing this package does it; False where the real plug-in is installed (SPEC H1, H4)."""
    here = sys.modules[__name__]
    names = ("tensorflow.neuron", "tensorflow_neuron", "tensorflow_neuronx")
    below = {"graph_util": graph_util, "multicore": multicore, "predictor": predictor, "saved_model": saved_model}
    modules = dict.fromkeys(names, here)
    modules |= {f"{name}.{child}": module for name in names for child, module in below.items()}
    if _adapter.served and not hasattr(_tensorflow, "contrib"):
        modules |= _contrib(predictor)
    return _hooks.install(modules)


def uninstall() -> None:
    """Put TensorFlow and Keras back as they were (SPEC H1)."""
    _hooks.uninstall()


install()
