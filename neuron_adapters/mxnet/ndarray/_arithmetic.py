"""Arithmetic of two arrays of one dtype, as MXNet does it: the result has that dtype, comparisons included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError

Array = np.ndarray[Any, Any]


def matched(ours: Array, theirs: Array) -> Array:
    """Return ``theirs``; raise MXNetValueError where it cannot be combined with ``ours``."""
    if ours.dtype != theirs.dtype:
        raise MXNetValueError(f"both arrays must have one dtype, got {ours.dtype} and {theirs.dtype}: use astype().")
    if ours.dtype == np.bool_:
        raise MXNetValueError("arithmetic on booleans is not supported: use astype().")
    try:
        np.broadcast_shapes(ours.shape, theirs.shape)
    except ValueError:
        raise MXNetValueError(f"the shapes {ours.shape} and {theirs.shape} cannot be broadcast together.") from None
    return theirs


def number(value: Any, dtype: np.dtype[Any]) -> Array:
    """Convert ``value`` to ``dtype``: truncate it to a whole number, and wrap it round, where the dtype asks for
    that."""
    whole = int(value) if dtype.kind in "iu" else value
    return np.asarray(whole).astype(dtype)


def _divide(left: Array, right: Array) -> Any:
    if left.dtype.kind == "f":
        return np.true_divide(left, right)
    # As C does: towards zero.
    down = np.floor_divide(left, right)
    return down + ((down * right != left) & ((left < 0) != (right < 0)))


def _modulo(left: Array, right: Array) -> Array:
    return np.where(right == 0, np.zeros((), left.dtype), np.mod(left, right))


def _power(left: Array, right: Array) -> Array:
    return np.power(left.astype(np.float64), right) if left.dtype.kind in "iu" else np.power(left, right)


def _hypot(left: Array, right: Array) -> Array:
    return np.hypot(left.astype(np.float64), right)


def _of(function: Callable[..., Any]) -> Callable[[Array, Array], Array]:
    def call(left: Array, right: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(left, right)).astype(left.dtype, copy=False)

    return call


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": _divide,
    "modulo": _modulo,
    "power": _power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "hypot": _hypot,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "lesser": np.less,
    "lesser_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}

#: By the name that MXNet has for it, of two arrays.
BINARY = {name: _of(function) for name, function in _FUNCTIONS.items()}
