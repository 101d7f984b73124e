"""Functions of two arrays, or of an array and a number, and others that MXNet writes in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet._operators import broadcast_name, elementwise_name
from neuron_adapters.mxnet.base import MXNetIndexError, MXNetValueError
from neuron_adapters.mxnet.ndarray import _arithmetic
from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.ndarray._function import function

Array = np.ndarray[Any, Any]


def _pair(kind: str, compute: Callable[[Array, Array], Array]) -> None:
    def call(lhs: Any, rhs: Any, **_ignored: Any) -> Array:  # as MXNet's operators without parameters
        if not isinstance(lhs, np.ndarray):
            return compute(_arithmetic.number(lhs, rhs.dtype), rhs)
        if not isinstance(rhs, np.ndarray):
            return compute(lhs, _arithmetic.number(rhs, lhs.dtype))
        return compute(lhs, _arithmetic.matched(lhs, rhs))

    call.__name__, call.__doc__ = kind, f"Compute {kind} of two arrays, or of an array and a number."
    function(kind, broadcast_name(kind), elementwise_name(kind), *(["true_divide"] * (kind == "divide")))(call)


for _name, _binary in _arithmetic.BINARY.items():
    _pair(_name, _binary)


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write zeros to the matrix ``out``, and a one to each row, in its column of ``indices``.

    Raises MXNetIndexError for an index outside the matrix.
    """
    columns = indices._array.astype(np.int64)
    if out.ndim != 2 or columns.shape != out.shape[:1]:
        raise MXNetValueError(
            f"onehot_encode() takes a matrix with a row for each index, got {columns.shape}, {out.shape}."
        )
    if columns.size and not 0 <= columns.min() <= columns.max() < out.shape[1]:
        raise MXNetIndexError(
            f"onehot_encode() takes indices from 0 to {out.shape[1] - 1}, got {columns.min()} to {columns.max()}."
        )
    out[:] = np.eye(out.shape[1], dtype=out.dtype)[columns]
    return out


@function("fill_element_0index")
def _fill_element(lhs: Array, mhs: Array, rhs: Array) -> Array:
    """Copy a matrix with ``mhs[i]`` in row i, in the column ``rhs[i]``."""
    columns = rhs.astype(np.int64)
    if lhs.ndim != 2 or not mhs.shape == columns.shape == lhs.shape[:1]:
        raise MXNetValueError(f"fill_element_0index() takes a matrix and two arrays with a number for each row, got "
                              f"{lhs.shape}, {mhs.shape} and {columns.shape}.")  # fmt: skip
    if columns.size and not 0 <= columns.min() <= columns.max() < lhs.shape[1]:
        raise MXNetIndexError(f"fill_element_0index() takes columns from 0 to {lhs.shape[1] - 1}.")
    filled = lhs.copy()
    filled[np.arange(len(lhs)), columns] = mhs
    return filled


@function("moveaxis")
def _moveaxis(tensor: Array, source: Any, destination: Any) -> Array:
    """Move axes to other positions."""
    return np.moveaxis(tensor, source, destination)
