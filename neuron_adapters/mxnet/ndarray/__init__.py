"""Arrays, as ``mx.nd``: made, computed with, saved and loaded, in the machine's memory, by NumPy.

Graphs are for what must be fast; of MXNet's operators those are here that prepare inputs and read results.
"""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet._signatures import all_names, look_up
from neuron_adapters.mxnet.ndarray import (
    _elementwise,  # noqa: F401 - its functions make themselves known, as do those of the next two
    _manipulation,  # noqa: F401
    _reductions,  # noqa: F401
    random,
)
from neuron_adapters.mxnet.ndarray._array import NDArray, functions
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
from neuron_adapters.mxnet.ndarray._files import load, load_frombuffer, save
from neuron_adapters.mxnet.ndarray.random import normal as random_normal
from neuron_adapters.mxnet.ndarray.random import uniform as random_uniform
from neuron_adapters.mxnet.operators import find

__all__ = [
    "NDArray", "arange", "array", "concatenate", "empty", "eye", "from_numpy", "full", "linspace", "load",
    "load_frombuffer", "ones", "random", "random_normal", "random_uniform", "save", "waitall", "zeros",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = look_up(functions, name)
    if function is not None:
        return function
    if find(name) is not None:
        raise AttributeError(f"mx.nd.{name} is not supported: bind mx.sym.{name}, and give the executor the arrays.")
    raise AttributeError(f"mx.nd.{name} is not supported. These are: {', '.join(__dir__())}.")


def __dir__() -> list[str]:
    return sorted({*__all__, *all_names(functions)})
