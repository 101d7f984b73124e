"""Functions that move elements: shapes, joins, parts, look-ups, and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._shapes import axes_of
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import _arithmetic
from neuron_adapters.mxnet.ndarray._array import dtype_of, in_shape
from neuron_adapters.mxnet.ndarray._function import function

Array = np.ndarray[Any, Any]


@function("Reshape")
def _reshape(data: Array, shape: Sequence[int] | int = (), reverse: bool = False) -> Array:
    """Copy to another shape, given by MXNet's codes."""
    return in_shape(data, (shape,) if isinstance(shape, int) else shape, reverse)


@function("Flatten")
def _flatten(data: Array) -> Array:
    """Collapse all axes but the first into one."""
    return data.reshape(data.shape[0], -1)


@function("transpose")
def _transpose(data: Array, axes: Sequence[int] | None = None) -> Array:
    """Permute the axes; reverse them where ``axes`` is not given."""
    return np.transpose(data, tuple(axes) if axes else None)


@function("SwapAxis")
def _swapaxes(data: Array, dim1: int = 0, dim2: int = 0) -> Array:
    """Swap two axes."""
    return np.swapaxes(data, dim1, dim2)


@function("moveaxis")
def _moveaxis(tensor: Array, source: Any, destination: Any) -> Array:
    """Move axes to other positions."""
    return np.moveaxis(tensor, source, destination)


@function("expand_dims")
def _expand_dims(data: Array, axis: int) -> Array:
    """Insert an axis of size 1."""
    return np.expand_dims(data, axis)


@function("squeeze")
def _squeeze(data: Array, axis: int | Sequence[int] | None = None) -> Array:
    """Remove axes of size 1."""
    return np.squeeze(data, axis if axis is None or isinstance(axis, int) else tuple(axis))


@function("tile")
def _tile(data: Array, reps: int | Sequence[int]) -> Array:
    """Repeat the whole array."""
    return np.tile(data, reps)


@function("repeat")
def _repeat(data: Array, repeats: int, axis: int | None = None) -> Array:
    """Repeat each element."""
    return np.repeat(data, repeats, axis)


@function("reverse")
def _flip(data: Array, axis: int | Sequence[int]) -> Array:
    """Reverse the order of elements along ``axis``."""
    return np.flip(data, axis if isinstance(axis, int) else tuple(axis))


@function("Pad")
def _pad(data: Array, mode: str, pad_width: Sequence[int], constant_value: float = 0) -> Any:
    """Pad with a constant, with the edge values, or by reflection."""
    widths = list(zip(pad_width[::2], pad_width[1::2]))
    if mode == "constant":
        return np.pad(data, widths, constant_values=_arithmetic.number(constant_value, data.dtype))
    if mode not in ("edge", "reflect"):
        raise MXNetValueError(f"mode must be constant, edge or reflect, got {mode!r}.")
    return np.pad(data, widths, mode=mode)  # type: ignore[call-overload]


@function("broadcast_to")
def _broadcast_to(data: Array, shape: Sequence[int]) -> Array:
    """Broadcast axes of size 1 to ``shape``; a 0 keeps the size."""
    kept = data.shape if len(shape) == data.ndim else (0,) * (len(shape) - data.ndim) + data.shape
    return np.broadcast_to(data, tuple(new or old for new, old in zip(shape, kept)))


@function("broadcast_like")
def _broadcast_like(lhs: Array, rhs: Array) -> Array:
    """Broadcast to the shape of ``rhs``."""
    return np.broadcast_to(lhs, rhs.shape)


@function("broadcast_axis")
def _broadcast_axis(data: Array, axis: int | Sequence[int], size: int | Sequence[int]) -> Array:
    """Broadcast the axes ``axis``, of size 1, to ``size``."""
    shape = list(data.shape)
    for place, length in zip(np.atleast_1d(axis), np.atleast_1d(size)):
        shape[place] = int(length)
    return np.broadcast_to(data, shape)


@function("Concat")
def _concat(*data: Array, dim: int = 1) -> Array:
    """Join along the axis ``dim``."""
    for array in data[1:]:
        _same_dtype(data[0], array)
    return np.concatenate(data, axis=dim)


@function("stack")
def _stack(*data: Array, axis: int = 0) -> Array:
    """Join along a new axis."""
    for array in data[1:]:
        _same_dtype(data[0], array)
    return np.stack(data, axis=axis)


@function("SliceChannel")
def _split(data: Array, num_outputs: int, axis: int = 1, squeeze_axis: bool = False) -> Array | list[Array]:
    """Split into equal parts along ``axis``; returns a list, or the part itself where there is one."""
    if data.shape[axis] % num_outputs:
        raise MXNetValueError(f"{data.shape[axis]} along axis {axis} cannot be split into {num_outputs} equal parts.")
    parts = np.split(data, num_outputs, axis)
    squeezed = [np.squeeze(part, axis) for part in parts] if squeeze_axis else parts
    return squeezed[0] if num_outputs == 1 else squeezed


@function("slice")
def _slice(data: Array, begin: Sequence[int | None], end: Sequence[int | None], step: Sequence[Any] = ()) -> Array:
    """Slice the first axes from ``begin`` to ``end``."""
    steps = tuple(step) or (None,) * len(begin)
    return data[tuple(slice(*bounds) for bounds in zip(begin, end, steps))]


@function("slice_axis")
def _slice_axis(data: Array, axis: int, begin: int, end: int | None) -> Array:
    """Slice one axis from ``begin`` to ``end``."""
    return np.take(data, range(*slice(begin, end).indices(data.shape[axis])), axis=axis)


@function("slice_like")
def _slice_like(data: Array, shape_like: Array, axes: Sequence[int] = ()) -> Array:
    """Slice to the sizes of ``shape_like``."""
    lengths = list(data.shape)
    for axis in axes_of(axes, min(data.ndim, shape_like.ndim)):
        lengths[axis] = shape_like.shape[axis]
    return data[tuple(slice(length) for length in lengths)]


@function("take")
def _take(a: Array, indices: Array, axis: int = 0, mode: str = "clip") -> Any:
    """Take the elements at ``indices``. Indices out of range are clipped, or wrap around."""
    if mode not in ("clip", "wrap", "raise"):
        raise MXNetValueError(f"mode must be clip, wrap or raise, got {mode!r}.")
    return np.take(a, indices.astype(np.int64), axis=axis, mode=mode)  # type: ignore[call-overload]


@function("batch_take")
def _batch_take(a: Array, indices: Array) -> Any:
    """Take one element of each row."""
    return a[np.arange(len(a)), np.clip(indices.astype(np.int64), 0, a.shape[1] - 1)]


@function("pick")
def _pick(data: Array, index: Array, axis: int = -1, keepdims: bool = False, mode: str = "clip") -> Any:
    """Pick one element along ``axis`` by the index for each position."""
    length = data.shape[axis]
    places = index.astype(np.int64)
    places = places % length if mode == "wrap" else np.clip(places, 0, length - 1)
    wide = places if places.ndim == data.ndim else np.expand_dims(places, axis)
    picked = np.take_along_axis(data, wide, axis)
    return picked if keepdims else np.squeeze(picked, axis)


@function("gather_nd")
def _gather_nd(data: Array, indices: Array) -> Any:
    """Gather the elements at the coordinates in the columns of ``indices``."""
    return data[tuple(indices.astype(np.int64))]


@function("one_hot")
def _one_hot(indices: Array, depth: int, on_value: float = 1, off_value: float = 0, dtype: Any = "float32") -> Any:
    """Encode each index along a new last axis: ``on_value`` at the index, ``off_value`` elsewhere."""
    hot = indices.astype(np.int64)[..., None] == np.arange(depth)
    return np.where(hot, on_value, off_value).astype(dtype_of(dtype))


@function("Embedding")
def _embedding(data: Array, weight: Array, **_sizes: Any) -> Array:
    """Look up the row of ``weight`` for each index."""
    return np.take(weight, data.astype(np.int64), axis=0, mode="clip")


@function("diag")
def _diag(data: Array, k: int = 0) -> Array:
    """Extract a diagonal, or construct a matrix with that diagonal."""
    return np.diag(data, k)


@function("shape_array")
def _shape_array(data: Array) -> Array:
    """Return the shape as an array of int64."""
    return np.array(data.shape, np.int64)


@function("size_array")
def _size_array(data: Array) -> Array:
    """Return the number of elements as an array of int64."""
    return np.array([data.size], np.int64)


@function("dot")
def _dot(lhs: Array, rhs: Array, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Multiply along the last axis of ``lhs`` and the first of ``rhs``."""
    _same_dtype(lhs, rhs)
    return np.tensordot(lhs.T if transpose_a else lhs, rhs.T if transpose_b else rhs, axes=1)


@function("batch_dot")
def _batch_dot(lhs: Array, rhs: Array, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Multiply the matrices of two batches pairwise."""
    _same_dtype(lhs, rhs)
    return np.matmul(np.swapaxes(lhs, -1, -2) if transpose_a else lhs, np.swapaxes(rhs, -1, -2) if transpose_b else rhs)


@function("FullyConnected")
def _fully_connected(
    data: Array,
    weight: Array,
    bias: Array | None = None,
    num_hidden: int | None = None,
    no_bias: bool = False,
    flatten: bool = True,
) -> Any:
    """Multiply by ``weight``, transposed, and add ``bias``."""
    if num_hidden not in (None, len(weight)):
        raise MXNetValueError(f"num_hidden is {num_hidden}, and weight has the shape {weight.shape}.")
    rows = data.reshape(data.shape[0], -1) if flatten else data
    product = rows @ weight.T
    return product if no_bias or bias is None else product + bias


def _same_dtype(left: Array, right: Array) -> None:
    if left.dtype != right.dtype:
        raise MXNetValueError(f"all arrays must have one dtype, got {left.dtype} and {right.dtype}: use astype().")
