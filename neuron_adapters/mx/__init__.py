"""MXNet's API of the 1.x series, as far as running models takes: files, arrays, graphs.

``import neuron_adapters.mx as mx`` is enough; MXNet itself is not needed. Where it is installed, it learns
``mx.neuron`` when it is imported. ``mx_neuron`` is provided as an import name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuron_adapters.mx._aliases import alias
from neuron_adapters.mx._hooks import install, uninstall
from neuron_adapters.mxnet import attribute, base, context, image, io, model, name, ndarray, symbol, util
from neuron_adapters.mxnet import image as img
from neuron_adapters.mxnet import ndarray as nd
from neuron_adapters.mxnet import symbol as sym
from neuron_adapters.mxnet._backend import register
from neuron_adapters.mxnet._training import TRAINING, refuse_missing, refuse_name
from neuron_adapters.mxnet.attribute import AttrScope
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context, cpu, cpu_pinned, current_context, gpu, neuron, num_gpus
from neuron_adapters.mxnet.ndarray import random
from neuron_adapters.mxnet.ndarray import random as rnd
from neuron_adapters.mxnet.symbol import Symbol, Variable
from neuron_adapters.mxnet.util import (
    is_np_array,
    is_np_shape,
    np_array,
    np_shape,
    set_np_shape,
    use_np,
    use_np_array,
    use_np_shape,
)

if TYPE_CHECKING:  # what __getattr__ imports
    from neuron_adapters.mx import contrib
    from neuron_adapters.mxnet import (
        autograd,
        callback,
        engine,
        executor,
        gluon,
        initializer,
        log,
        metric,
        module,
        monitor,
        numpy,
        numpy_extension,
        onnx,
        operator,
        profiler,
        recordio,
        registry,
        rnn,
        runtime,
        test_utils,
        visualization,
    )
    from neuron_adapters.mxnet import initializer as init
    from neuron_adapters.mxnet import module as mod
    from neuron_adapters.mxnet import monitor as mon
    from neuron_adapters.mxnet import numpy as np
    from neuron_adapters.mxnet import numpy_extension as npx
    from neuron_adapters.mxnet import visualization as viz
    from neuron_adapters.mxnet.onnx_export import to_onnx

__all__ = [
    "AttrScope", "Context", "MXNetError", "Symbol", "Variable", "attribute", "autograd", "base", "callback", "context",
    "contrib", "cpu", "cpu_pinned", "current_context", "engine", "executor", "gluon", "gpu", "image", "img", "init",
    "initializer", "install", "io", "is_np_array", "is_np_shape", "log", "metric", "mod", "model", "module", "mon",
    "monitor", "name", "nd", "ndarray", "neuron", "np", "np_array", "np_shape", "npx", "num_gpus", "numpy",
    "numpy_extension", "onnx", "operator", "profiler", "random", "recordio", "registry", "rnd", "rnn", "runtime",
    "set_np_shape", "sym", "symbol", "test_utils", "to_onnx", "uninstall", "use_np", "use_np_array", "use_np_shape",
    "util", "visualization", "viz",
]  # fmt: skip

#: The library. Its modules can be imported by this package's name too.
LIBRARY = "neuron_adapters.mxnet"

#: The release of MXNet whose files and names these are.
__version__ = "1.9.1"

#: Names whose modules are imported at first use: they import the engine.
_LATER = {
    "autograd": "autograd",
    "callback": "callback",
    "contrib": "contrib",
    "engine": "engine",
    "executor": "executor",
    "gluon": "gluon",
    "init": "initializer",
    "initializer": "initializer",
    "log": "log",
    "metric": "metric",
    "mod": "module",
    "module": "module",
    "mon": "monitor",
    "monitor": "monitor",
    "np": "numpy",
    "npx": "numpy_extension",
    "numpy": "numpy",
    "numpy_extension": "numpy_extension",
    "onnx": "onnx",
    "operator": "operator",
    "profiler": "profiler",
    "recordio": "recordio",
    "registry": "registry",
    "rnn": "rnn",
    "runtime": "runtime",
    "test_utils": "test_utils",
    "to_onnx": "onnx_export",
    "visualization": "visualization",
    "viz": "visualization",
}


def __getattr__(name: str) -> Any:
    if name in TRAINING:
        refuse_name(f"mx.{name}")
    if name not in _LATER:
        if name.startswith("__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        refuse_missing(f"mx.{name}")
    place = __name__ if name == "contrib" else LIBRARY
    module = import_module(f"{place}.{_LATER[name]}")
    value = globals()[name] = getattr(module, name) if name == "to_onnx" else module
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


register(f"{__name__}._backend")
alias(__name__, LIBRARY)
install()
