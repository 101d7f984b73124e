"""Arrays, as ``mx.nd``: made, computed with, saved and loaded, in the machine's memory, by NumPy.

Graphs are for what must be fast. Every operator that graphs have is here, too, and computed at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet._functions import Namespace
from neuron_adapters.mxnet._signatures import all_names, look_up
from neuron_adapters.mxnet.ndarray import _contrib, _control, random, sparse
from neuron_adapters.mxnet.ndarray._array import NDArray, functions
from neuron_adapters.mxnet.ndarray._cached import CachedOp
from neuron_adapters.mxnet.ndarray._create import (
    arange,
    array,
    concatenate,
    empty,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    waitall,
    zeros,
)
from neuron_adapters.mxnet.ndarray._elementwise import onehot_encode
from neuron_adapters.mxnet.ndarray._exchange import from_dlpack, to_dlpack_for_read, to_dlpack_for_write
from neuron_adapters.mxnet.ndarray._files import load, load_frombuffer, save
from neuron_adapters.mxnet.ndarray._invoke import histogram, operator_functions, split_v2
from neuron_adapters.mxnet.ndarray.random import normal as random_normal
from neuron_adapters.mxnet.ndarray.random import uniform as random_uniform
from neuron_adapters.mxnet.operators import names

__all__ = [
    "CachedOp", "NDArray", "arange", "array", "concatenate", "contrib", "empty", "eye", "from_dlpack",
    "from_numpy", "full", "histogram", "image", "linalg", "linspace", "load", "load_frombuffer", "onehot_encode",
    "ones", "random", "random_normal", "random_uniform", "save", "sparse", "split_v2", "to_dlpack_for_read",
    "to_dlpack_for_write", "waitall", "zeros",
]  # fmt: skip

if TYPE_CHECKING:
    from neuron_adapters.mxnet.ndarray import _operators
    from neuron_adapters.mxnet.ndarray._operators import *  # noqa: F403 - what __getattr__ makes
    from neuron_adapters.mxnet.ndarray._operators import Contrib, Image, Linalg

    __all__ += _operators.__all__

contrib: Contrib = Namespace(  # type: ignore[assignment]
    operator_functions, "_contrib_",
    **{name: getattr(module, name) for module in (_contrib, _control) for name in module.__all__},
)  # fmt: skip
image: Image = Namespace(operator_functions, "_image_")  # type: ignore[assignment]
linalg: Linalg = Namespace(operator_functions, "_linalg_")  # type: ignore[assignment]
op: Namespace = Namespace(operator_functions, "")
_internal = Namespace(operator_functions, "")

#: What ``F.np`` and ``F.npx`` are in blocks of deep NumPy.
_OF_NUMPY = {"np": "numpy", "numpy": "numpy", "npx": "numpy_extension", "numpy_extension": "numpy_extension"}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "ndarray":
        return import_module(f"{__name__}.ndarray")
    if name in _OF_NUMPY:
        return import_module(f"neuron_adapters.mxnet.{_OF_NUMPY[name]}")
    function = look_up(functions, name)
    if function is not None:
        return function
    return operator_functions.of(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in {*all_names(functions), *names()} if not name.startswith("_"))})
