"""Matching, position-sensitive pooling, resized pictures and CTC on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet._resampling import weights_for
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.numpy_form._mxnet import before, indexes, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.numpy_form._regions import resampled, rounded
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.correlation import sliding


@before("_contrib_box_encode")
def _encoded(_at: Attributes, samples: Array, matches: Array, anchors: Array, refs: Array, *more: Array) -> list[Array]:
    return [samples, indexes(np.trunc(matches), refs.shape[1]), anchors, refs, *more]


@operator("_contrib_bipartite_matching")
def _matching(at: Attributes, outs: list[Tensor], data: Array) -> Sequence[Array]:
    """Match the best pair that is left, one after the other, while it is better than the threshold."""
    if not np.isfinite(data).all():
        raise MXNetError("it orders scores of which some are NaN or infinite")
    ascending, threshold, most = at.flag("is_ascend", default=False), at.number("threshold"), at.integer("topk", -1)
    rows, columns = data.shape[-2:]
    scores = data.reshape(-1, rows * columns)
    by_row, by_column = np.full((len(scores), rows), -1), np.full((len(scores), columns), -1)
    for batch, row in enumerate(scores):
        count = 0
        for place in np.argsort(row if ascending else -row, kind="stable"):
            first, second = divmod(int(place), columns)
            if by_row[batch, first] != -1 or by_column[batch, second] != -1:
                continue
            if not (row[place] < threshold if ascending else row[place] > threshold):
                break
            by_row[batch, first], by_column[batch, second] = second, first
            count += 1
            if 0 < most < count:
                break
    return [by_row.reshape(outs[0].shape), by_column.reshape(outs[1].shape)]


@operator("_contrib_PSROIPooling")
def _position_sensitive(at: Attributes, outs: list[Tensor], data: Array, rois: Array) -> Sequence[Array]:
    """Each bin of a region is the mean of channels of its own."""
    if not np.isfinite(rois).all():
        raise MXNetError("a region has a corner that is NaN or infinite")
    batches = indexes(np.trunc(rois[:, 0]), len(data))
    kind, scale = data.dtype.type, np.float32(at.number("spatial_scale"))
    count, groups = at.integer("pooled_size"), at.integer("group_size", 0) or at.integer("pooled_size")
    result = np.zeros(outs[0].shape, data.dtype)
    for number, (_batch, *corners) in enumerate(rois):
        near = [kind(rounded(corner)) * scale for corner in corners[:2]]
        far = [kind(rounded(corner) + 1.0) * scale for corner in corners[2:]]
        steps = [max(kind(end - start), kind(0.1)) / kind(count) for start, end in zip(near, far)]
        for down, across in np.ndindex(count, count):
            spans = [
                _span(place, step, start, size)
                for place, step, start, size in zip((across, down), steps, near, data.shape[:1:-1])
            ]
            part = data[batches[number]][:, spans[1], spans[0]]
            group = [min(int(np.floor(kind(place) * groups / count)), groups - 1) for place in (down, across)]
            mine = part[group[0] * groups + group[1] :: groups * groups]
            if part.size:
                result[number, :, down, across] = mine.sum((1, 2)) / kind(mine[0].size)
    return [result]


def _span(place: int, step: Array, start: Array, size: int) -> slice:
    kind = type(step)
    first, last = int(np.floor(kind(place) * step + start)), int(np.ceil(kind(place + 1) * step + start))
    return slice(min(max(first, 0), size), min(max(last, 0), size))


@operator("_image_resize")
def _resized(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    interp = int(at.choice("interp", ("0", "1", "2", "3", "4"), "1"))
    rows, columns = weights_for(x.shape[-3:-1], outs[0].shape[-3:-1], interp)
    result = resampled(resampled(x.astype(np.float32), columns, x.ndim - 2), rows, x.ndim - 3)
    if x.dtype.kind != "f":
        info = np.iinfo(x.dtype)
        result = np.clip(np.rint(result), info.min, info.max)
    return [result]


@operator("col2im")
def _put_together(at: Attributes, outs: list[Tensor], columns: Array) -> Sequence[Array]:
    """Add up the windows, each in its place."""
    batch, channels, *sizes = outs[0].shape
    axes = sliding(at, tuple(sizes))
    kernel = [axis.kernel for axis in axes]
    windows = columns.reshape(batch, channels, *kernel, *(axis.places for axis in axes))
    whole = np.zeros((batch, channels, *(axis.size + 2 * axis.pad for axis in axes)), columns.dtype)
    for place in np.ndindex(*kernel):
        spans = [
            slice(offset * axis.dilate, offset * axis.dilate + axis.stride * (axis.places - 1) + 1, axis.stride)
            for offset, axis in zip(place, axes)
        ]
        whole[(slice(None), slice(None), *spans)] += windows[(slice(None), slice(None), *place)]
    return [whole[(slice(None), slice(None), *(slice(axis.pad, axis.pad + axis.size) for axis in axes))]]


@operator("CTCLoss")
def _ctc(at: Attributes, outs: list[Tensor], data: Array, label: Array, *lengths: Array) -> Sequence[Array]:
    """The negative logarithm of the probability of the labels, over all ways to align them."""
    first = at.choice("blank_label", ("first", "last"), "first") == "first"
    by_input = dict(zip([n for n in ("data", "label") if at.flag(f"use_{n}_lengths", default=False)], lengths))
    blank = 0 if first else data.shape[2] - 1
    logs = data.astype("f8") - data.max(2, keepdims=True)
    logs -= np.log(np.exp(logs).sum(2, keepdims=True))
    costs = np.zeros(outs[0].shape)
    for row in range(data.shape[1]):
        length = int(by_input["data"][row]) if "data" in by_input else len(data)
        symbols = label[row]
        ends = np.flatnonzero(symbols == (0 if first else -1))
        count = int(by_input["label"][row]) if "label" in by_input else int(ends[0]) if ends.size else len(symbols)
        costs[row] = _cost(logs[:length, row], indexes(np.trunc(symbols[:count]), data.shape[2]), blank)
    return [costs]


def _cost(logs: Array, symbols: Array, blank: int) -> float:
    """The cost of one row: by the forward recursion over the labels with a blank round each."""
    states = np.full(2 * len(symbols) + 1, blank)
    states[1::2] = symbols
    repeats = int((symbols[1:] == symbols[:-1]).sum())
    if len(symbols) + repeats > len(logs):
        return 0.0  # there is no way to align them
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    alpha = np.full(len(states), -np.inf)
    alpha[:2] = logs[0, states[:2]]
    for row in logs[1:]:
        previous, skipping = np.roll(alpha, 1), np.roll(alpha, 2)
        previous[0], skipping[~skips] = -np.inf, -np.inf
        alpha = np.logaddexp(np.logaddexp(alpha, previous), skipping) + row[states]
    return -float(np.logaddexp(alpha[-1], alpha[-2]) if len(states) > 1 else alpha[-1])
