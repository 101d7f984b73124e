"""``mx.npx``: the switches of deep NumPy, and the operators of networks on its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.context import cpu, cpu_pinned, current_context, gpu, num_gpus
from neuron_adapters.mxnet.ndarray import load, save, waitall
from neuron_adapters.mxnet.ndarray._invoke import operator_functions
from neuron_adapters.mxnet.numpy._array import _own
from neuron_adapters.mxnet.numpy.random import seed
from neuron_adapters.mxnet.operators import find
from neuron_adapters.mxnet.util import (
    get_cuda_compute_capability,
    is_np_array,
    is_np_shape,
    np_array,
    np_shape,
    reset_np,
    set_np,
    use_np,
    use_np_array,
    use_np_shape,
)

__all__ = [
    "cpu", "cpu_pinned", "current_context", "get_cuda_compute_capability", "gpu", "image", "is_np_array", "is_np_shape",
    "load", "np_array", "np_shape", "num_gpus", "reset_np", "save", "seed", "set_np", "use_np", "use_np_array",
    "use_np_shape", "waitall",
]  # fmt: skip


class _Operators:
    """Operators by the names that begin in one way, on arrays of ``mx.np``."""

    def __init__(self, prefix: str, shown: str) -> None:
        self._prefix, self._shown = prefix, shown

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operator = self._prefix + name
        if name.startswith("__") or find(operator) is None:
            refuse_missing(f"{self._shown}.{name}")
        function = operator_functions.of(operator, name)

        def call(*args: Any, **keywords: Any) -> Any:
            return _own(function(*args, **keywords))

        call.__name__ = call.__qualname__ = name
        call.__doc__ = f"MXNet's operator {own_name(operator)}, on arrays of mx.np."
        return call


_operators = _Operators("_npx_", "mx.npx")
image = _Operators("_npx__image_", "mx.npx.image")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_operators, name)
