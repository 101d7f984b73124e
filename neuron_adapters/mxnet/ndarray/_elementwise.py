"""Functions of two arrays, or of an array and a number, and others that MXNet writes in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet._operators import broadcast_name, elementwise_name
from neuron_adapters.mxnet.ndarray import _arithmetic
from neuron_adapters.mxnet.ndarray._function import function

Array = np.ndarray[Any, Any]


def _pair(kind: str, compute: Callable[[Array, Array], Array]) -> None:
    def call(lhs: Any, rhs: Any) -> Array:
        if not isinstance(lhs, np.ndarray):
            return compute(_arithmetic.number(lhs, rhs.dtype), rhs)
        if not isinstance(rhs, np.ndarray):
            return compute(lhs, _arithmetic.number(rhs, lhs.dtype))
        return compute(lhs, _arithmetic.matched(lhs, rhs))

    call.__name__, call.__doc__ = kind, f"Compute {kind} of two arrays, or of an array and a number."
    function(kind, broadcast_name(kind), elementwise_name(kind), *(["true_divide"] * (kind == "divide")))(call)


for _name, _binary in _arithmetic.BINARY.items():
    _pair(_name, _binary)


@function("moveaxis")
def _moveaxis(tensor: Array, source: Any, destination: Any) -> Array:
    """Move axes to other positions."""
    return np.moveaxis(tensor, source, destination)
