"""Functions along axes: sums, extremes, orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._shapes import axes_of
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray._array import dtype_of
from neuron_adapters.mxnet.ndarray._function import function

Array = np.ndarray[Any, Any]
Axis = int | Sequence[int] | None


def _reduction(name: str, compute: Callable[..., Any]) -> None:
    def call(data: Array, axis: Axis = None, keepdims: bool = False, exclude: bool = False) -> Array:
        axes = axes_of(axis, data.ndim, exclude)
        # float16 would lose what it adds up.
        wide = data.astype(np.float32) if data.dtype == np.float16 else data
        return np.asarray(compute(wide, axis=axes, keepdims=keepdims)).astype(data.dtype)

    call.__name__, call.__doc__ = name, f"Compute the {name} along ``axis``, or with ``exclude`` along all other axes."
    function(name)(call)


for _name in ("sum", "mean", "prod", "max", "min", "nansum", "nanprod"):
    _reduction(_name, getattr(np, _name))


@function("norm")
def _norm(data: Array, ord: int = 2, axis: Axis = None, keepdims: bool = False) -> Any:  # noqa: A002
    """Compute the L1 or the L2 norm."""
    if ord not in (1, 2):
        raise MXNetValueError(f"ord must be 1 or 2, got {ord!r}.")
    axes = axes_of(axis, data.ndim)
    if ord == 1:
        return np.sum(np.abs(data), axis=axes, keepdims=keepdims)
    return np.sqrt(np.sum(np.square(data), axis=axes, keepdims=keepdims)).astype(data.dtype)


@function("argmax")
def _argmax(data: Array, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the index of the maximum, as float32."""
    return np.argmax(data, axis=axis, keepdims=keepdims).astype(np.float32)


@function("argmin")
def _argmin(data: Array, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the index of the minimum, as float32."""
    return np.argmin(data, axis=axis, keepdims=keepdims).astype(np.float32)


@function("argmax_channel")
def _argmax_channel(data: Array) -> Any:
    """Return the index of the maximum of each row."""
    return np.argmax(data, axis=1).astype(np.float32)


@function("argsort")
def _argsort(data: Array, axis: int | None = -1, is_ascend: bool = True, dtype: Any = "float32") -> Any:
    """Return the indices that sort ``data``. The sort is stable."""
    if axis is None:
        data, axis = data.reshape(-1), 0
    return _order(data, axis, is_ascend).astype(dtype_of(dtype))


@function("sort")
def _sort(data: Array, axis: int | None = -1, is_ascend: bool = True) -> Any:
    """Sort along ``axis``."""
    if axis is None:
        data, axis = data.reshape(-1), 0
    return np.take_along_axis(data, _order(data, axis, is_ascend), axis)


@function("topk")
def _topk(
    data: Array,
    axis: int | None = -1,
    k: int = 1,
    ret_typ: str = "indices",
    is_ascend: bool = False,
    dtype: Any = "float32",
) -> Any:
    """Return the ``k`` largest, or smallest, elements along ``axis``: "indices", "value", "both", or a "mask"."""
    shape = data.shape
    if axis is None:
        data, axis = data.reshape(-1), 0
    order = _order(data, axis, is_ascend)
    places = np.take(order, range(min(k, data.shape[axis]) if k > 0 else data.shape[axis]), axis=axis)
    indices, values = places.astype(dtype_of(dtype)), np.take_along_axis(data, places, axis)
    if ret_typ == "mask":
        mask = np.zeros_like(data)
        np.put_along_axis(mask, places, 1, axis)
        return mask.reshape(shape)
    kinds: dict[str, Array | list[Array]] = {"indices": indices, "value": values, "both": [values, indices]}
    if ret_typ not in kinds:
        raise MXNetValueError(f"ret_typ must be indices, value, both or mask, got {ret_typ!r}.")
    return kinds[ret_typ]


@function("cumsum")
def _cumsum(data: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """Compute the cumulative sum."""
    return np.cumsum(data, axis=axis, dtype=data.dtype if dtype is None else dtype_of(dtype))


@function("softmax")
def _softmax(data: Array, axis: int = -1, temperature: float | None = None) -> Array:
    """Apply softmax along ``axis``."""
    scaled = data / data.dtype.type(temperature or 1)
    grown = np.exp(scaled - scaled.max(axis=axis, keepdims=True))
    return np.asarray(grown / grown.sum(axis=axis, keepdims=True)).astype(data.dtype)


@function("log_softmax")
def _log_softmax(data: Array, axis: int = -1, temperature: float | None = None) -> Array:
    """Compute the logarithm of ``softmax``."""
    scaled = data / data.dtype.type(temperature or 1)
    shifted = scaled - scaled.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))).astype(data.dtype)


@function("L2Normalization")
def _l2_normalization(data: Array, eps: float = 1e-10, mode: str = "instance") -> Any:
    """Divide by the L2 norm: of each instance, over channels, or over space."""
    modes: dict[str, tuple[int, ...]] = {
        "instance": tuple(range(1, data.ndim)),
        "channel": (1,),
        "spatial": tuple(range(2, data.ndim)),
    }
    if mode not in modes:
        raise MXNetValueError(f"mode must be instance, channel or spatial, got {mode!r}.")
    return (data / np.sqrt(np.square(data).sum(axis=modes[mode], keepdims=True) + eps)).astype(data.dtype)


def _order(data: Array, axis: int, ascending: bool) -> Any:
    if ascending:
        return np.argsort(data, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(data, axis), axis=axis, kind="stable")
    return data.shape[axis] - 1 - np.flip(backwards, axis)
