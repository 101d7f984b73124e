"""Boxes, regions and sequences with their targets: matching, encoding, position-sensitive pooling, CTC."""

from __future__ import annotations

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, rank_at_least, unify


def _encode_shapes(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    anchors = ins[2]
    inner = [*ins[:4], *(unify(shape, (4,), name) for shape, name in zip(ins[4:], ("means", "stds")))]
    return inner, [unify(out, anchors, "output") for out in outs]


@operator("_contrib_box_encode", inputs=("samples", "matches", "anchors", "refs", "means", "stds"),
          outputs=("output0", "output1"), shapes=_encode_shapes)  # fmt: skip
def _box_encode(
    to: Builder, _at: Attributes, samples: Tensor, matches: Tensor, anchors: Tensor, refs: Tensor, means: Tensor,
    stds: Tensor,
) -> list[Value]:  # fmt: skip
    """Encode the box that each anchor matches, relative to it; and masks. What is no sample is zeros."""
    valid = to.unsqueeze(to.Greater(samples, 0.5), 2)
    place = to.cast(matches, "int64")
    boxes = to.GatherND(refs, to.unsqueeze(place, 2), batch_dims=1)
    (low, high), (own_low, own_high) = (to.split(each, 2, [2, 2]) for each in (boxes, anchors))
    size, own = to.Sub(high, low), to.Sub(own_high, own_low)
    middle, own_middle = to.Add(low, to.Mul(size, 0.5)), to.Add(own_low, to.Mul(own, 0.5))
    unit = to.constant(1.0, samples.dtype)
    moved = to.Div(to.Sub(middle, own_middle), own)
    # The logarithm of what does not count may be of anything.
    grown = to.Log(to.Where(valid, to.Div(size, own), unit))
    encoded = to.Div(to.Sub(to.Concat(moved, grown, axis=2), means), stds)
    zero = to.constant(0.0, samples.dtype)
    mask = to.expand(to.cast(valid, samples.dtype), to.outputs[1].shape)
    return [to.Where(valid, encoded, zero), mask]


def _matching_shape(_at: Attributes, data: Shape) -> list[Shape]:
    rank_at_least(2, data)
    return [data[:-1], (*data[:-2], data[-1])]


@operator("_contrib_bipartite_matching", outputs=("output0", "output1"), shape=_matching_shape)
def _bipartite_matching(_to: Builder, _at: Attributes, _data: Tensor) -> list[Value]:
    raise BeyondOnnxError("_contrib_bipartite_matching chooses one pair after the other")


def _sensitive_shape(at: Attributes, data: Shape, rois: Shape) -> Shape:
    rank_at_least(4, data)
    size, groups = at.integer("pooled_size"), at.integer("group_size", 0) or at.integer("pooled_size")
    if data[1] != at.integer("output_dim") * groups**2:
        raise ValueError(f"data must have output_dim times {groups}^2 channels, got {data[1]}")
    return (rois[0], at.integer("output_dim"), size, size)


@operator("_contrib_PSROIPooling", inputs=("data", "rois"), shape=_sensitive_shape)
def _position_sensitive(_to: Builder, _at: Attributes, _data: Tensor, _rois: Tensor) -> Value:
    raise BeyondOnnxError("_contrib_PSROIPooling divides regions where the last bit of a quotient decides")


def _ctc_inputs(at: Attributes) -> list[str]:
    names = [name for name in ("data_lengths", "label_lengths") if at.flag(f"use_{name}", default=False)]
    return ["data", "label", *names]


def _ctc_shapes(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if len(data) != 3:
        raise ValueError(f"data must be (length, batch, alphabet), got {data}")
    lengths = [unify(shape, (data[1],), "lengths") for shape in ins[2:]]
    return [data, ins[1], *lengths], [unify(outs[0], (data[1],), "output")]


def _ctc_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    return ins, [ins[0]] * count


@operator("CTCLoss", inputs=_ctc_inputs, outputs=("output0",), shapes=_ctc_shapes, dtypes=_ctc_dtypes)
def _ctc(_to: Builder, _at: Attributes, *_tensors: Tensor) -> Value:
    raise BeyondOnnxError("CTCLoss follows labels of any length")
