"""Operators that MXNet computes in a way of its own where numbers are not finite, or indexes outside their table.

What MXNet 1.9.1 does was learnt by asking it (tests/mx_adapter/oracle/special.py). Where it reads or writes beyond its
arrays, or its answer depends on what a C++ library does with NaN, there is an error here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._operators import broadcast_name, elementwise_name, scalar_name
from neuron_adapters.mxnet.base import MXNetError, MXNetIndexError
from neuron_adapters.mxnet.numpy_form._onnx import Array, _div, widened
from neuron_adapters.mxnet.numpy_form._regions import rounded
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators._rules import axis_of
from neuron_adapters.mxnet.operators.losses import computing_dtype
from neuron_adapters.mxnet.operators.reduction import _axes

Compute = Callable[..., "Sequence[Array]"]
Prepare = Callable[..., "Sequence[Array]"]

#: By the name of MXNet's operator: a function of its attributes, of what it shall give, and of its inputs.
OPERATORS: dict[str, Compute] = {}
#: Likewise: a function of its attributes and inputs that gives inputs for the ONNX operators that it is translated to.
PREPARATIONS: dict[str, Prepare] = {}


def operator(*names: str) -> Callable[[Compute], Compute]:
    """Register a function that computes an operator."""

    def add(compute: Compute) -> Compute:
        OPERATORS.update(dict.fromkeys(names, compute))
        return compute

    return add


def before(*names: str) -> Callable[[Prepare], Prepare]:
    """Register a function that changes or examines the inputs of an operator."""

    def add(prepare: Prepare) -> Prepare:
        PREPARATIONS.update(dict.fromkeys(names, prepare))
        return prepare

    return add


# -- each number on its own -----------------------------------------------------------------------------------------


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except ValueError:
        return math.copysign(math.inf, x) if x == 0 else math.nan
    except OverflowError:
        return math.inf


def _gammaln(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


_UNARY: dict[str, Callable[..., Any]] = {
    "cbrt": np.cbrt,
    "cosh": np.cosh,
    "expm1": np.expm1,
    "gamma": np.vectorize(_gamma, otypes=["f8"]),
    "gammaln": np.vectorize(_gammaln, otypes=["f8"]),
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "rcbrt": lambda x: 1 / np.cbrt(x),
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)) if x.dtype.kind == "f" else np.sign(x),
    "sinh": np.sinh,
}
for _name, _compute in _UNARY.items():

    @operator(_name)
    def _unary(_at: Attributes, _outs: list[Tensor], x: Array, compute: Any = _compute) -> Sequence[Array]:
        return [compute(x if compute is np.sign else widened(x))]


def _mod(x: Array, y: Array) -> Array:
    """Of large integers as MXNet's C++ library has it, for doubles."""
    kind = np.float64 if x.dtype == np.int64 else x.dtype
    rest = np.mod(x.astype(kind), np.where(y == 0, np.ones_like(y), y).astype(kind))
    return np.where(y == 0, np.zeros_like(x), rest.astype(x.dtype))


def _hypot(x: Array, y: Array) -> Array:
    """Of integers in float32, as MXNet's C++ library has no other."""
    kind = x.dtype if x.dtype.kind == "f" else np.float32
    return np.hypot(x.astype(kind), y.astype(kind)).astype(x.dtype)


for _name, _binary in {"hypot": _hypot, "modulo": _mod}.items():

    @operator(broadcast_name(_name), elementwise_name(_name))
    def _pairwise(_at: Attributes, _outs: list[Tensor], x: Array, y: Array, compute: Any = _binary) -> Sequence[Array]:
        return [compute(x, y)]

    @operator(scalar_name(_name))
    def _scalar(at: Attributes, outs: list[Tensor], x: Array, compute: Any = _binary) -> Sequence[Array]:
        x = x.astype(outs[0].dtype)
        return [compute(x, np.asarray(at.number("scalar", 1.0)).astype(x.dtype))]


@operator(scalar_name("modulo", swapped=True))
def _reversed_mod(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    x = x.astype(outs[0].dtype)
    return [_mod(np.asarray(at.number("scalar", 1.0)).astype(x.dtype), x)]


@operator("square", "_npi_square")
def _square(_at: Attributes, _outs: list[Tensor], x: Array) -> Sequence[Array]:
    return [np.square(x if x.dtype.kind == "f" else x.astype("f4")).astype(x.dtype)]


@before("abs", "ceil", "fix", "floor", "rint", "round", "trunc", "_npi_absolute", "_npi_around", "_npi_ceil",
        "_npi_fix", "_npi_floor", "_npi_rint", "_npi_trunc")  # fmt: skip
def _as_double(_at: Attributes, x: Array) -> Sequence[Array]:
    """MXNet's C++ library has these for a double, which holds 53 bits of an integer."""
    return [x.astype("f8").astype(x.dtype) if x.dtype == np.int64 else x]


@operator("diag")
def _diag(at: Attributes, _outs: list[Tensor], x: Array) -> Sequence[Array]:
    k = at.integer("k", 0)
    return [np.diag(x, k) if x.ndim == 1 else np.diagonal(x, k, at.integer("axis1", 0), at.integer("axis2", 1))]


# -- along axes -----------------------------------------------------------------------------------------------------


def _corrected_sum(x: Array, axes: Sequence[int]) -> Array:
    """The sum with a correction of rounding errors, which after an infinity is NaN. It leaves NaN of ``x`` out."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose(*kept, *sorted(axes)).reshape(
        *(x.shape[axis] for axis in kept), math.prod(x.shape[axis] for axis in axes)
    )
    counts = np.cumsum(~np.isnan(rows), -1)
    infinite = np.isinf(rows) & (counts < counts[..., -1:])
    return np.where(infinite.any(-1), rows.dtype.type(np.nan), np.nansum(rows, axis=-1))


def _corrected(x: Array, axes: Sequence[int]) -> Array:
    """The same, but NaN where there is one."""
    return np.where(np.isnan(x).any(axis=tuple(axes)), x.dtype.type(np.nan), _corrected_sum(x, axes))


@operator("nansum")
def _nansum(at: Attributes, _outs: list[Tensor], x: Array) -> Sequence[Array]:
    return [_corrected_sum(x, _axes(at, x.ndim)) if x.dtype.kind == "f" else np.sum(x, axis=tuple(_axes(at, x.ndim)))]


@operator("norm")
def _norm(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    x = x.astype(outs[0].dtype)
    if at.integer("ord", 2) == 1 and x.dtype.kind != "f":
        return [np.sum(np.abs(x), axis=tuple(_axes(at, x.ndim)), dtype=x.dtype)]
    if at.integer("ord", 2) == 1:
        return [_corrected(np.abs(x), _axes(at, x.ndim))]
    axes = tuple(_axes(at, x.ndim))
    if x.dtype.kind != "f":  # it divides by the largest, and cuts the fractions off
        largest = np.max(np.abs(x), axis=axes, keepdims=True)
        return [np.max(largest, axis=axes) * np.sqrt(np.sum(np.abs(x) == largest, axis=axes))]
    root = np.sqrt(np.sum(x * x, axis=axes))
    return [np.where(np.isinf(x).sum(axis=axes) > 1, x.dtype.type(np.nan), root)]  # it divides by the largest


@operator("moments")
def _moments(at: Attributes, _outs: list[Tensor], x: Array) -> Sequence[Array]:
    axes = sorted(axis_of(axis, x.ndim) for axis in at.integers("axes", range(x.ndim)))
    count = x.dtype.type(math.prod(x.shape[axis] for axis in axes))
    if x.dtype.kind != "f":  # each division cuts the fraction off
        mean = _div(np.sum(x, axis=tuple(axes), dtype=x.dtype), count)
        middle = x - np.expand_dims(mean, tuple(axes))
        return [mean, _div(np.sum(middle * middle, axis=tuple(axes), dtype=x.dtype), count)]
    mean = _corrected(x, axes) / count
    middle = x - np.expand_dims(mean, tuple(axes))
    return [mean, _corrected(middle * middle, axes) / count]


@before("Pooling")
def _pooled(at: Attributes, x: Array) -> Sequence[Array]:
    """The largest is what is greater than the lowest number, and than what came before."""
    if x.dtype.kind != "f" or at.choice("pool_type", ("max", "avg", "sum", "lp"), "max") != "max":
        return [x]
    lowest = np.finfo(x.dtype).min
    return [np.where(x > lowest, x, lowest)]


@before("Pooling_v1")
def _before_older_pooling(_at: Attributes, x: Array) -> Sequence[Array]:
    """The older operator keeps NaN."""
    return [x]


@operator("_contrib_SyncBatchNorm")
def _batch_norm(
    at: Attributes, outs: list[Tensor], x: Array, gamma: Array, beta: Array, mean: Array, var: Array
) -> Sequence[Array]:
    """One factor and one summand for each channel."""
    shape = [1] * x.ndim
    shape[axis_of(at.integer("axis", 1), x.ndim)] = -1
    eps = var.dtype.type(at.number("eps", 1e-3))
    inverse = 1 / np.sqrt(var + eps)
    factor = inverse if at.flag("fix_gamma", default=True) else gamma * inverse
    result = x * factor.reshape(shape) + (beta - mean * factor).reshape(shape)
    return [result, mean, inverse][: len(outs)]


@operator("BatchNorm_v1")
def _older_batch_norm(at: Attributes, outs: list[Tensor], *arrays: Array) -> Sequence[Array]:
    """Its third output is the variance itself."""
    output, *others = _batch_norm(at, outs, *arrays)
    return [output, *others[:1], arrays[-1]][: len(outs)]


@operator("softmax")
def _softmax(at: Attributes, outs: list[Tensor], x: Array, length: Array | None = None) -> Sequence[Array]:
    return _softmax_of_length(at, outs, x, length, "softmax")


@operator("softmin")
def _softmin(at: Attributes, outs: list[Tensor], x: Array, length: Array | None = None) -> Sequence[Array]:
    return _softmax_of_length(at, outs, x, length, "softmin")


@operator("log_softmax")
def _log_softmax(at: Attributes, outs: list[Tensor], x: Array, length: Array | None = None) -> Sequence[Array]:
    return _softmax_of_length(at, outs, x, length, "log_softmax")


def _softmax_of_length(
    at: Attributes, outs: list[Tensor], x: Array, length: Array | None, name: str
) -> Sequence[Array]:
    """0 beyond the length."""
    axis = axis_of(at.integer("axis", -1), x.ndim)
    if not x.size:
        return [x]
    x = x.astype(computing_dtype(x.dtype.name, outs[0].dtype))
    x = x / x.dtype.type(at.number("temperature", 1.0))
    x = -x if name == "softmin" else x
    shape = [1] * x.ndim
    shape[axis] = -1
    inside = np.ones(x.shape, bool)
    if length is not None:
        inside = np.arange(x.shape[axis]).reshape(shape) < np.expand_dims(length, axis)
    below = x - np.max(np.where(inside, x, -np.inf), axis=axis, keepdims=True)
    total = np.sum(np.where(inside, np.exp(below), 0), axis=axis, keepdims=True, dtype=x.dtype)
    result = below - np.log(total) if name == "log_softmax" else np.exp(below) / total
    return [np.where(inside, result, 0)]


@operator("softmax_cross_entropy")
def _cross_entropy(_at: Attributes, _outs: list[Tensor], x: Array, label: Array) -> Sequence[Array]:
    places = indexes(label, x.shape[1])
    powers = np.exp(x - np.max(x, axis=1, keepdims=True))
    shares = np.take_along_axis(powers / np.sum(powers, axis=1, keepdims=True), places[:, None], 1)
    return [-np.sum(np.log(np.where(shares < 1e-8, x.dtype.type(1e-8), shares)))]


# -- order ----------------------------------------------------------------------------------------------------------


@before("topk", "sort", "argsort")
def _comparable(_at: Attributes, x: Array) -> Sequence[Array]:
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise MXNetError("it sorts NaN, which MXNet leaves in any order")
    return [x]


# -- indexes --------------------------------------------------------------------------------------------------------


def indexes(array: Array, count: int, *, least: int = 0) -> Array:
    """``array`` as indexes from ``least`` up to, and without, ``count``. Raises MXNetIndexError."""
    within(np.floor(array) if array.dtype.kind == "f" else array, count, least=least)
    return array.astype(np.int64)


def within(array: Array, count: int, *, least: int = 0) -> None:
    """Raise MXNetIndexError where an index of ``array`` is below ``least``, or above the last, also by a fraction."""
    wrong = ~((array >= least) & (array <= count - 1))  # NaN is wrong, too
    if wrong.any():
        raise MXNetIndexError(f"index {array[wrong].reshape(-1)[0]} is out of bounds for an axis of size {count}")


@before("take")
def _taken(at: Attributes, data: Array, places: Array) -> Sequence[Array]:
    if at.choice("mode", ("clip", "wrap", "raise"), "clip") == "raise":
        within(places, data.shape[axis_of(at.integer("axis", 0), data.ndim)])
    return [data, places]


@before("gather_nd")
def _gathered(_at: Attributes, data: Array, places: Array) -> Sequence[Array]:
    """A negative index counts from the end before its fraction is cut off, so it is one of the translation then."""
    for row, size in zip(places, data.shape):
        within(row, size, least=-size)
    return [data, places]


@before("scatter_nd")
def _scattered(at: Attributes, data: Array, places: Array) -> Sequence[Array]:
    return [data, np.stack([indexes(row, size) for row, size in zip(places, at.integers("shape"))])]


@before("_contrib_index_copy")
def _copied(_at: Attributes, old: Array, places: Array, new: Array) -> Sequence[Array]:
    return [old, indexes(places, len(old)), new]


@before("SequenceLast")
def _last(at: Attributes, data: Array, length: Array | None = None) -> Sequence[Array]:
    if length is None:
        return [data]
    return [data, indexes(length, data.shape[int(at.choice("axis", ("0", "1"), "0"))] + 1, least=1)]


@before("SequenceReverse")
def _backwards(_at: Attributes, data: Array, length: Array | None = None) -> Sequence[Array]:
    return [data] if length is None else [data, indexes(length, data.shape[0] + 1)]


@before("SequenceMask")
def _masked(_at: Attributes, data: Array, length: Array | None = None) -> Sequence[Array]:
    return [data] if length is None else [data, indexes(length, 1 << 31, least=-(1 << 31))]


@before("_ravel_multi_index")
def _places(_at: Attributes, places: Array) -> Sequence[Array]:
    return [indexes(places, 1 << 31, least=-(1 << 31)).astype(places.dtype)]


@operator("_unravel_index")
def _unravel(at: Attributes, _outs: list[Tensor], places: Array) -> Sequence[Array]:
    """A negative place has negative coordinates."""
    left, parts = indexes(places.reshape(-1), 1 << 31, least=-(1 << 31)), []
    for size in reversed(at.integers("shape")[1:]):
        quotient = np.sign(left) * (np.abs(left) // size)
        parts.append(left - quotient * size)
        left = quotient
    return [np.stack([left, *reversed(parts)])]


# -- regions and boxes ----------------------------------------------------------------------------------------------


@before("_contrib_MultiBoxDetection", "_contrib_MultiProposal", "_contrib_Proposal", "_contrib_box_iou")
def _detected(_at: Attributes, *inputs: Array) -> Sequence[Array]:
    if not all(np.isfinite(array).all() for array in inputs):
        raise MXNetError("it compares boxes and scores of which some are NaN or infinite")
    return inputs


@before("_contrib_box_nms")
def _suppressed(at: Attributes, data: Array) -> Sequence[Array]:
    formats = {at.choice(name, ("corner", "center"), "corner") for name in ("in_format", "out_format")}
    return [data] if formats == {"corner"} else _detected(at, data)


@operator("_contrib_box_decode")
def _box_decode(at: Attributes, _outs: list[Tensor], data: Array, anchors: Array) -> Sequence[Array]:
    """A size that is NaN is the largest that is allowed."""
    data = data * np.array([at.number(f"std{index}", 1.0) for index in range(4)], data.dtype)
    first, second = anchors[..., :2], anchors[..., 2:]
    if at.choice("format", ("corner", "center"), "center") == "corner":
        second = second - first
        first = first + second / 2
    move, grow, most = data[..., :2], data[..., 2:], at.number("clip", -1.0)
    half = np.exp(np.where(grow < most, grow, data.dtype.type(most)) if most > 0 else grow) * second / 2
    middle = move * second + first
    return [np.concatenate([middle - half, middle + half], -1)]


@operator("_contrib_AdaptiveAvgPooling2D")
def _adaptive(_at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    result = np.empty(outs[0].shape, x.dtype)
    tall, wide = outs[0].shape[2:]
    for row, column in np.ndindex(tall, wide):
        rows, columns = _span(row, tall, x.shape[2]), _span(column, wide, x.shape[3])
        result[:, :, row, column] = x[:, :, rows, columns].mean((2, 3))
    return [result]


def _span(place: int, count: int, size: int) -> slice:
    return slice(place * size // count, -(-(place + 1) * size // count))


@operator("_contrib_BilinearResize2D")
def _resized(at: Attributes, outs: list[Tensor], x: Array, _like: Array | None = None) -> Sequence[Array]:
    corners = at.flag("align_corners", default=True)
    rows, columns = (_neighbours(old, new, corners) for old, new in zip(x.shape[2:], outs[0].shape[2:]))
    (top, bottom, down), (left, right, across) = rows, columns
    down, across = down[:, None].astype(x.dtype), across.astype(x.dtype)
    upper = (1 - across) * x[:, :, top][..., left] + across * x[:, :, top][..., right]
    lower = (1 - across) * x[:, :, bottom][..., left] + across * x[:, :, bottom][..., right]
    return [(1 - down) * upper + down * lower]


def _neighbours(old: int, new: int, corners: bool) -> tuple[Array, Array, Array]:
    """For each new place the old ones before and behind it, and how near it is to the one behind."""
    if corners:
        at = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        at = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0.0)
    first = np.minimum(at.astype(int), old - 1)
    return first, np.minimum(first + 1, old - 1), at - first


@before("_contrib_ROIAlign")
def _regions(_at: Attributes, data: Array, rois: Array) -> Sequence[Array]:
    """A region of a batch below 0 counts as none, whatever its corners."""
    none = ~(rois[:, 0] > -1)
    rois = np.where(none[:, None], np.array([-1, 0, 0, 1, 1], rois.dtype), rois)
    indexes(np.where(none, 0, np.trunc(rois[:, 0])), len(data))
    _require_corners(rois)
    return [data, rois]


def _require_corners(rois: Array) -> None:
    if not np.isfinite(rois).all():
        raise MXNetError("a region has a corner that is NaN or infinite")


@operator("ROIPooling")
def _roi_pooling(at: Attributes, outs: list[Tensor], data: Array, rois: Array) -> Sequence[Array]:
    """The largest is what is greater than the lowest number; 0 for a region that holds no point, or is in no batch."""
    scale: Array
    shown: Array
    scale, lowest = rois.dtype.type(at.number("spatial_scale")), np.finfo(data.dtype).min
    shown = np.where(data > lowest, data, lowest)
    result = np.zeros(outs[0].shape, data.dtype)
    for number, (batch, *corners) in enumerate(rois):
        if not -1 < batch < len(data):
            continue
        _require_corners(np.array(corners))
        left, top, right, bottom = (rounded(corner * scale) for corner in corners)
        for place in np.ndindex(*outs[0].shape[2:]):
            spans: list[slice] = []
            for at_place, count, start, end, size in zip(
                place, outs[0].shape[2:], (top, left), (bottom, right), data.shape[2:]
            ):
                step = np.float32(max(end - start + 1, 1)) / np.float32(count)
                first = int(np.floor(np.float32(at_place) * step)) + start
                last = int(np.ceil(np.float32(at_place + 1) * step)) + start
                spans.append(slice(min(max(first, 0), size), min(max(last, 0), size)))
            part = shown[int(batch)][(slice(None), *spans)]
            if part.size:
                result[(number, slice(None), *place)] = part.max((1, 2))
    return [result]
