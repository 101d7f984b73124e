"""The last operators of single-shot detectors: prior boxes, their decoding, and non-maximum suppression."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, rank_at_least, single_dtype

#: Integers below it are exact in the engine, which computes some of them in float32.
_EXACT = 1 << 24


def _anchors(at: Attributes) -> int:
    return len(at.numbers("sizes", (1.0,))) + len(at.numbers("ratios", (1.0,))) - 1


def _prior_shape(at: Attributes, data: Shape) -> Shape:
    rank_at_least(4, data)
    return (1, data[2] * data[3] * _anchors(at), 4)


@operator("_contrib_MultiBoxPrior", "MultiBoxPrior", shape=_prior_shape, dtypes=single_dtype)
def _multi_box_prior(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.constant(_priors(at, *data.shape[2:]), data.dtype)


def _priors(at: Attributes, height: int, width: int) -> Array:
    """Compute the corners of the boxes round every pixel: a box for each size at the first ratio, then one for each
    further ratio at the first size."""
    sizes, ratios = at.numbers("sizes", (1.0,)), at.numbers("ratios", (1.0,))
    steps, offsets = at.numbers("steps", (-1.0, -1.0)), at.numbers("offsets", (0.5, 0.5))
    across = steps[0] if steps[0] > 0 else 1.0 / height, steps[1] if steps[1] > 0 else 1.0 / width
    rows = (np.arange(height) + offsets[0]) * across[0]
    columns = (np.arange(width) + offsets[1]) * across[1]
    shapes = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    half = np.array([(size * height / width * ratio**0.5 / 2, size / ratio**0.5 / 2) for size, ratio in shapes])
    centres = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 1, 2)
    boxes = np.concatenate([centres - half, centres + half], axis=-1).reshape(1, -1, 4)
    return np.clip(boxes, 0.0, 1.0) if at.flag("clip", default=False) else boxes


def _detection_shape(_at: Attributes, scores: Shape, offsets: Shape, anchors: Shape) -> Shape:
    rank_at_least(3, scores)
    count = scores[2]
    if offsets != (scores[0], 4 * count) or anchors != (1, count, 4):
        raise ValueError(f"loc_pred must be {(scores[0], 4 * count)} and anchor {(1, count, 4)}")
    return (scores[0], count, 6)


@operator("_contrib_MultiBoxDetection", "MultiBoxDetection", inputs=("cls_prob", "loc_pred", "anchor"),
          shape=_detection_shape, dtypes=single_dtype)  # fmt: skip
def _multi_box_detection(to: Builder, at: Attributes, scores: Tensor, offsets: Tensor, anchors: Tensor) -> Value:
    """Decode detections to rows of class, score and box, best first. A suppressed row has class -1; an empty row is all
    -1."""
    batch, classes, count = scores.shape
    at.only("background_id", "0", "the first class is the background")
    best = to.slice(scores, 1, 1, classes)
    chosen = to.unsqueeze(to.ArgMax(best, axis=1, keepdims=0), 2)
    score = to.unsqueeze(to.reduce("ReduceMax", best, [1], keep=False), 2)
    boxes = _decoded(to, at, to.reshape(offsets, [batch, count, 4]), anchors)
    rows = to.Concat(to.cast(chosen, scores.dtype), score, boxes, axis=2)
    valid = to.squeeze(to.GreaterOrEqual(score, at.number("threshold", 0.01)), 2)
    nothing = to.constant(-1.0, scores.dtype)
    rows_left, present = _compacted(to, rows, valid, count)
    overlap, most = at.number("nms_threshold", 0.5), at.integer("nms_topk", -1)
    if 0 < overlap <= 1:
        rows, valid = _sorted(to, rows, to.squeeze(score, 2), valid, count)
        groups = 1 if at.flag("force_suppress", default=False) else classes - 1
        ids = to.slice(rows, 2, 0, 1)
        grouped = to.Equal(ids, to.constant(np.arange(groups), ids.dtype)) if groups > 1 else None
        leading = to.And(valid, to.constant(np.arange(count) < most, "bool")) if 0 < most < count else valid
        below = float(np.nextafter(np.float32(overlap), np.float32(0)))  # boxes that overlap by just as much go, too
        kept = _kept(to, to.slice(rows, 2, 2, 6), leading, grouped, (batch, groups, count), below)
        marked = to.Concat(to.Where(to.unsqueeze(kept, 2), ids, nothing), to.slice(rows, 2, 1, 6), axis=2)
        if 0 < most < count:
            # Rows past nms_topk are suppressed, and keep their order.
            rest = to.Concat(to.Add(to.Mul(ids, 0.0), -1.0), to.slice(rows_left, 2, 1, 6), axis=2)
            marked = to.Where(to.constant((np.arange(count) < most).reshape(1, -1, 1), "bool"), marked, rest)
        rows_left = marked
    return to.Where(to.unsqueeze(present, 2), rows_left, nothing)


def _decoded(to: Builder, at: Attributes, offsets: Value, anchors: Tensor) -> Value:
    """Decode ``offsets`` from the anchors, in units of the variances, to the corners of boxes."""
    variances = at.numbers("variances", (0.1, 0.1, 0.2, 0.2))
    low, high = to.split(anchors, 2, [2, 2])
    size = to.Sub(high, low)
    centre = to.Mul(to.Add(low, high), 0.5)
    move, grow = to.split(to.Mul(offsets, to.constant(np.array(variances), offsets.dtype)), 2, [2, 2])
    middle = to.Add(to.Mul(move, size), centre)
    half = to.Mul(to.Mul(to.Exp(grow), size), 0.5)
    boxes = to.Concat(to.Sub(middle, half), to.Add(middle, half), axis=2)
    return to.Clip(boxes, 0.0, 1.0) if at.flag("clip", default=True) else boxes


def _sorted(to: Builder, rows: Value, score: Value, valid: Value, count: int) -> tuple[Value, Value]:
    """Sort ``rows`` and ``valid`` by score, highest first and invalid rows last."""
    lowest = to.constant(np.finfo(score.dtype).min, score.dtype)
    order = _order(to, to.Where(valid, score, lowest), count)
    return _ordered(to, rows, order), _ordered(to, valid, order)


def _order(to: Builder, score: Value, count: int) -> Value:
    """Return the indices that sort ``score`` (batch, count), highest first. The sort is stable, as in MXNet.

    Equal scores come out of the first sort in any order and get one rank. So places are sorted by their ranks, a digit
    of these at a time from the last one, with the place among the key: the base keeps every key exact.
    """
    scores, order = to.top(score, count, 1, largest=True)
    base = _EXACT // count
    if count == 1 or base == 1:
        return order
    new = to.Not(to.Equal(to.slice(scores, 1, 1), to.slice(scores, 1, 0, count - 1)))
    ranks = to.CumSum(to.Pad(to.cast(new, "int32"), to.constant([0, 1, 0, 0])), to.constant(1))
    ranks = to.ScatterElements(ranks, order, ranks, axis=1)  # of the places, in their own order
    places = to.constant(np.arange(count).reshape(1, -1), "int32")
    unit = 1
    while unit < count:
        digit = ranks if unit == 1 else to.Div(ranks, unit)
        unit *= base
        digit = digit if unit >= count else to.Mod(digit, base)
        _keys, step = to.top(to.Add(to.Mul(digit, count), places), count, 1, largest=False)
        order = step if unit <= base else to.GatherElements(order, step, axis=1)
        ranks = to.GatherElements(ranks, step, axis=1) if unit < count else ranks
    return order


def _compacted(to: Builder, rows: Value, valid: Value, count: int) -> tuple[Value, Value]:
    """Move the valid rows to the front; the order is kept otherwise."""
    places = np.arange(count)
    keys = to.Where(valid, to.constant(2 * count - places, "int32"), to.constant(count - places, "int32"))
    _keys, order = to.top(keys, count, 1, largest=True)
    return _ordered(to, rows, order), _ordered(to, valid, order)


def _ordered(to: Builder, value: Value, order: Value) -> Value:
    """Gather ``value`` (batch, count) or (batch, count, width) by the order of each batch element."""
    return to.GatherND(value, to.unsqueeze(order, 2), batch_dims=1)


def _kept(
    to: Builder, boxes: Value, valid: Value, grouped: Value | None, sizes: tuple[int, int, int], overlap: float
) -> Value:
    """Which of the valid boxes, the best first, overlap none that is kept before them in their group by more than
    ``overlap``.

    ``grouped``: (batch, count, groups), whether a box is of a group; None for one group. ``sizes``: batch, groups and
    count. Their places serve as scores, so that boxes of one score keep their order.
    """
    batch, groups, count = sizes
    ranks = to.Where(valid, to.constant(np.arange(count, 0, -1), boxes.dtype), to.constant(-1.0, boxes.dtype))
    scores = to.unsqueeze(ranks, 1)
    if grouped is not None:
        scores = to.Where(to.transpose(grouped, [0, 2, 1]), scores, to.constant(-1.0, boxes.dtype))
    chosen = to.NonMaxSuppression(
        boxes, scores, to.constant([count]), to.constant([overlap], "float32"), to.constant([0.0], "float32")
    )
    ones = to.cast(to.GreaterOrEqual(to.at(chosen, 1, 0), 0), boxes.dtype)
    marks = to.ScatterND(to.constant(np.zeros((batch, groups, count)), boxes.dtype), chosen, ones)
    return to.Greater(to.reduce("ReduceMax", marks, [1], keep=False), 0.5)


@operator("_contrib_box_nms", outputs=("output0",), shape=lambda _at, data: data)
def _box_nms(to: Builder, at: Attributes, data: Tensor) -> Value:
    """Suppress overlapping rows: those kept come first, best first, and the rest is -1."""
    if at.integer("topk", -1) == 0:
        return data
    count, width = data.shape[-2:]
    rows: Value = to.reshape(data, [-1, count, width])
    batch = 1
    for size in data.shape[:-2]:
        batch *= size
    start, at_score, at_id = at.integer("coord_start", 2), at.integer("score_index", 1), at.integer("id_index", -1)
    score = to.at(rows, 2, at_score)
    valid = to.Greater(score, at.number("valid_thresh", 0.0))
    background = at.integer("background_id", -1)
    if at_id >= 0 and background >= 0:
        valid = to.And(valid, to.Not(to.Equal(to.at(rows, 2, at_id), float(background))))
    rows, valid = _sorted(to, rows, score, valid, count)
    most = at.integer("topk", -1)
    if 0 < most < count:
        valid = to.And(valid, to.constant((np.arange(count) < most).reshape(1, -1), "bool"))
    source, wanted = (at.choice(name, ("corner", "center"), "corner") for name in ("in_format", "out_format"))
    boxes = to.slice(rows, 2, start, start + 4)
    corners = boxes if source == "corner" else _corners(to, boxes)
    apart = corners
    if at_id >= 0 and not at.flag("force_suppress", default=False):
        # Classes are moved to where they cannot overlap.
        flat = to.reshape(corners, [-1])
        largest = to.constant(np.finfo(data.dtype).max, data.dtype)
        flat = to.Where(to.LessOrEqual(to.Abs(flat), largest), flat, to.constant(0.0, data.dtype))  # NaN is not
        span = to.Sub(to.reduce("ReduceMax", flat, [0]), to.reduce("ReduceMin", flat, [0]))
        apart = to.Add(corners, to.Mul(to.slice(rows, 2, at_id, at_id + 1), to.Add(span, 1.0)))
    kept = _kept(to, apart, valid, None, (batch, 1, count), at.number("overlap_thresh", 0.5))
    if wanted != source:
        turned = corners if wanted == "corner" else _centred(to, corners)
        # MXNet takes a box that begins below 0 for one that was suppressed, and leaves it.
        turned = to.Where(to.Less(to.slice(boxes, 2, 0, 1), 0.0), boxes, turned)
        parts = [to.slice(rows, 2, 0, start)] if start else []
        parts += [turned, to.slice(rows, 2, start + 4)] if start + 4 < width else [turned]
        rows = to.Concat(*parts, axis=2)
    rows, kept = _compacted(to, rows, kept, count)
    return to.reshape(to.Where(to.unsqueeze(kept, 2), rows, to.constant(-1.0, data.dtype)), data.shape)


def _corners(to: Builder, boxes: Value, axis: int = 2) -> Value:
    """Convert (x, y, width, height) of centres to two corners."""
    middle, size = to.split(boxes, axis, [2, 2])
    half = to.Mul(size, 0.5)
    return to.Concat(to.Sub(middle, half), to.Add(middle, half), axis=axis)


def _centred(to: Builder, corners: Value) -> Value:
    low, high = to.split(corners, 2, [2, 2])
    return to.Concat(to.Mul(to.Add(low, high), 0.5), to.Sub(high, low), axis=2)


@operator("_contrib_box_iou", inputs=("lhs", "rhs"), shape=lambda _at, left, right: (*left[:-1], *right[:-1]))
def _box_iou(to: Builder, at: Attributes, left: Tensor, right: Tensor) -> Value:
    """Compute the intersection over union of each pair of boxes."""
    center = at.choice("format", ("corner", "center"), "corner") == "center"
    sides = []
    for place, boxes in enumerate((left, right)):
        flat = to.reshape(boxes, [-1, 4])
        flat = _corners(to, flat, 1) if center else flat
        sides.append([to.unsqueeze(part, 1 - place) for part in to.split(flat, 1, [2, 2])])
    (low, high), (other_low, other_high) = sides
    shared = _area(to, to.Sub(to.Min(high, other_high), to.Max(low, other_low)))
    both = to.Sub(to.Add(_area(to, to.Sub(high, low)), _area(to, to.Sub(other_high, other_low))), shared)
    none = to.LessOrEqual(both, 0.0)
    share = to.Div(shared, to.Where(none, to.constant(1.0, left.dtype), both))
    return to.reshape(to.Where(none, to.constant(0.0, left.dtype), share), to.outputs[0].shape)


def _area(to: Builder, size: Value) -> Value:
    return to.reduce("ReduceProd", to.Max(size, 0.0), [-1], keep=False)


@operator("_contrib_box_decode", inputs=("data", "anchors"), shape=lambda _at, data, _anchors: data)
def _box_decode(to: Builder, at: Attributes, data: Tensor, anchors: Tensor) -> Value:
    deviations = np.array([at.number(f"std{index}", 1.0) for index in range(4)])
    corner = at.choice("format", ("corner", "center"), "center") == "corner"
    first, second = to.split(anchors, 2, [2, 2])
    size = to.Sub(second, first) if corner else second
    middle = to.Add(first, to.Mul(size, 0.5)) if corner else first
    move, grow = to.split(to.Mul(data, to.constant(deviations, data.dtype)), 2, [2, 2])
    most = at.number("clip", -1.0)
    half = to.Mul(to.Mul(to.Exp(to.Min(grow, most) if most > 0 else grow), size), 0.5)
    middle = to.Add(to.Mul(move, size), middle)
    return to.Concat(to.Sub(middle, half), to.Add(middle, half), axis=2)
