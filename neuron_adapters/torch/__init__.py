"""The PyTorch adapter: ``import neuron_adapters.torch``, and ``torch.jit.load`` places what it loads on NeuronCores.

It provides ``torch.neuron`` (the names of torch_neuron) and, as import names, ``torch_neuron`` and ``torch_neuronx``.
"""

try:
    import torch  # noqa: F401 - the error below says what to install
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError(
        "neuron_adapters.torch needs PyTorch, which is not installed: pip install 'neuron-adapters[torch]'"
    ) from error

import sys

from neuron_adapters.adapter.versions import TORCH_NEURON
from neuron_adapters.torch import _classes, _hooks, experimental, neuronx
from neuron_adapters.torch._analysis import analyze_model, get_supported_operations
from neuron_adapters.torch._compile import Optimization, trace
from neuron_adapters.torch._device import device_count, is_bf16_supported, synchronize
from neuron_adapters.torch._parallel import DataParallel

__all__ = [
    "DataParallel", "Optimization", "__version__", "analyze_model", "device_count", "experimental",
    "get_supported_operations", "install", "is_available", "is_bf16_supported", "neuronx", "synchronize", "trace",
    "uninstall",
]  # fmt: skip

__version__ = TORCH_NEURON


def is_available() -> bool:
    """Whether models can run on NeuronCores: always, since they are emulated."""
    return True


def install() -> bool:
    """Put the hooks in. Importing this package does it; False where the real plug-in is installed (SPEC H1, H4)."""
    here = sys.modules[__name__]
    return _hooks.install(
        {
            "torch.neuron": here,
            "torch.neuron.experimental": experimental,
            "torch_neuron": here,
            "torch_neuron.experimental": experimental,
            "torch_neuronx": neuronx,
            "torch_neuronx.experimental": neuronx.experimental,
            "torch_neuronx.experimental.profiler": neuronx.experimental.profiler,
            "torch_neuronx.xla_impl": neuronx.xla_impl,
            "torch_neuronx.xla_impl.data_parallel": neuronx.xla_impl.data_parallel,
            "torch_neuronx.xla_impl.trace": neuronx.xla_impl.trace,
        },
        _classes.namespace,
    )


def uninstall() -> None:
    """Put PyTorch back as it was. Models that are placed stay placed (SPEC H1)."""
    _hooks.uninstall()


install()
