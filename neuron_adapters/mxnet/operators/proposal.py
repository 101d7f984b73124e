"""Region proposals of Faster R-CNN: the boxes round each anchor that are likely to hold something."""

from __future__ import annotations

import math

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, rank_at_least, single_dtype
from neuron_adapters.mxnet.operators.detection import _compacted, _kept, _order, _ordered


def _scales(at: Attributes) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return at.numbers("scales", (4.0, 8.0, 16.0, 32.0)), at.numbers("ratios", (0.5, 1.0, 2.0))


def _proposal_shape(at: Attributes, scores: Shape, deltas: Shape, info: Shape) -> list[Shape]:
    rank_at_least(4, scores)
    scales, ratios = _scales(at)
    count = len(scales) * len(ratios)
    batch, height, width = scores[0], *scores[2:]
    if scores[1] != 2 * count or deltas != (batch, 4 * count, height, width) or info != (batch, 3):
        raise ValueError(
            f"{count} anchors take cls_prob ({batch}, {2 * count}, ...), bbox_pred ({batch}, {4 * count}, ...) and "
            f"im_info ({batch}, 3), got {scores}, {deltas} and {info}"
        )
    rows = batch * at.integer("rpn_post_nms_top_n", 300)
    shapes: list[Shape] = [(rows, 5), (rows, 1)]
    return shapes[: len(_outputs(at))]


def _outputs(at: Attributes) -> list[str]:
    return ["output", "score"] if at.flag("output_score", default=False) else ["output"]


def _anchors(at: Attributes, height: int, width: int) -> Array:
    """Compute the corners of all anchors: those of each place, of each ratio, of each scale."""
    stride = at.integer("feature_stride", 16)
    scales, ratios = _scales(at)
    middle, anchors = 0.5 * (stride - 1.0), []
    for ratio in ratios:
        wide = math.floor(np.sqrt(np.floor(np.float32(stride * stride) / np.float32(ratio))) + 0.5)
        tall = math.floor(wide * ratio + 0.5)
        for scale in scales:
            half = 0.5 * (wide * scale - 1.0), 0.5 * (tall * scale - 1.0)
            anchors.append([middle - half[0], middle - half[1], middle + half[0], middle + half[1]])
    rows, columns = (places.reshape(-1, 1) * stride for places in np.indices((height, width)))
    moved = np.concatenate([columns, rows, columns, rows], 1)
    return (moved[:, None] + np.array(anchors)[None]).reshape(-1, 4)


@operator("_contrib_Proposal", "_contrib_MultiProposal", inputs=("cls_prob", "bbox_pred", "im_info"), outputs=_outputs,
          shape=_proposal_shape, dtypes=single_dtype)  # fmt: skip
def _proposal(to: Builder, at: Attributes, scores: Tensor, deltas: Tensor, info: Tensor) -> list[Value]:
    batch, doubled, height, width = scores.shape
    per_place = doubled // 2
    count = per_place * height * width
    foreground = to.reshape(to.transpose(to.slice(scores, 1, per_place, doubled), [0, 2, 3, 1]), [batch, count])
    moves = to.transpose(to.reshape(deltas, [batch, per_place, 4, height, width]), [0, 3, 4, 1, 2])
    sizes = [to.reshape(to.slice(info, 1, place, place + 1), [batch, 1, 1]) for place in range(3)]
    boxes = _moved(to, at, to.reshape(moves, [batch, count, 4]), _anchors(at, height, width), sizes)
    score = to.Where(_padded(to, at, sizes, (height, width, per_place)), to.constant(-1.0, scores.dtype), foreground)
    boxes, score = _without_small(to, at, boxes, score, sizes[2])
    most = at.integer("rpn_pre_nms_top_n", 6000)
    considered = min(most, count) if most > 0 else count
    order = to.slice(_order(to, score, count), 1, 0, considered)
    rows = to.Concat(_ordered(to, boxes, order), to.unsqueeze(_ordered(to, score, order), 2), axis=2)
    low, high = to.split(to.slice(rows, 2, 0, 4), 2, [2, 2])
    apart = to.Concat(low, to.Add(high, 1.0), axis=2)  # a box includes its last pixel
    everything = to.constant(np.ones((batch, considered)), "bool")
    kept = _kept(to, apart, everything, None, (batch, 1, considered), at.number("threshold", 0.7))
    rows, kept = _compacted(to, rows, kept, considered)
    wanted = at.integer("rpn_post_nms_top_n", 300)
    total = to.reduce("ReduceSum", to.cast(kept, "int64"), [1])
    total = to.Min(to.Max(total, 1), min(wanted, considered))
    chosen = _ordered(to, rows, to.Mod(to.constant(np.arange(wanted).reshape(1, -1)), total))  # again from the first
    numbers = to.constant(np.repeat(np.arange(batch), wanted).reshape(batch, wanted, 1), scores.dtype)
    regions = to.reshape(to.Concat(numbers, to.slice(chosen, 2, 0, 4), axis=2), [batch * wanted, 5])
    return [regions, to.reshape(to.slice(chosen, 2, 4, 5), [batch * wanted, 1])][: len(to.outputs)]


def _moved(to: Builder, at: Attributes, moves: Value, anchors: Array, sizes: list[Value]) -> Value:
    """Return the corners of the boxes, inside the picture."""
    own = [to.constant(column.reshape(1, -1, 1), moves.dtype) for column in anchors.T]
    parts = to.split(moves, 2, [1] * 4)
    if at.flag("iou_loss", default=False):
        corners = [to.Add(anchor, part) for anchor, part in zip(own, parts)]
    else:
        spans = anchors[:, 2:] - anchors[:, :2] + 1.0
        middles = anchors[:, :2] + 0.5 * (spans - 1.0)
        low, high = [], []
        for axis in (0, 1):
            span, middle = (to.constant(each[:, axis].reshape(1, -1, 1), moves.dtype) for each in (spans, middles))
            centre = to.Add(to.Mul(parts[axis], span), middle)
            half = to.Mul(to.Sub(to.Mul(to.Exp(parts[axis + 2]), span), 1.0), 0.5)
            low.append(to.Sub(centre, half))
            high.append(to.Add(centre, half))
        corners = [*low, *high]
    ends = [to.Sub(sizes[1], 1.0), to.Sub(sizes[0], 1.0)] * 2
    return to.Concat(*(to.Max(to.Min(corner, end), 0.0) for corner, end in zip(corners, ends)), axis=2)


def _padded(to: Builder, at: Attributes, sizes: list[Value], grid: tuple[int, int, int]) -> Value:
    """Whether each box belongs to a place behind the end of the picture."""
    stride = at.integer("feature_stride", 16)
    batch, outside = to.outputs[0].shape[0] // at.integer("rpn_post_nms_top_n", 300), []
    for axis in (0, 1):
        size = to.reshape(sizes[axis], [batch, 1])
        # A power of two divides exactly by a product, and then the engine need not be watched at its steps.
        end = to.Floor(to.Div(size, float(stride)) if stride & (stride - 1) else to.Mul(size, 1.0 / stride))
        outside.append(to.GreaterOrEqual(to.constant(np.indices(grid)[axis].reshape(1, -1), size.dtype), end))
    return to.Or(*outside)


def _without_small(to: Builder, at: Attributes, boxes: Value, score: Value, scale: Value) -> tuple[Value, Value]:
    """Give boxes that are smaller than the least size a margin, and the score -1."""
    least = to.Mul(scale, float(at.integer("rpn_min_size", 16)))
    low, high = to.split(boxes, 2, [2, 2])
    small = to.Less(to.Add(to.Sub(high, low), 1.0), least)
    small = to.Or(to.slice(small, 2, 0, 1), to.slice(small, 2, 1, 2))
    margin = to.Mul(least, 0.5)
    grown = to.Concat(to.Sub(low, margin), to.Add(high, margin), axis=2)
    return to.Where(small, grown, boxes), to.Where(to.squeeze(small, 2), to.constant(-1.0, score.dtype), score)
