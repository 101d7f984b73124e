"""Sequences of different lengths in one array: the places on one axis, the batch on the other of the first two."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes, unify


def _inputs(at: Attributes) -> list[str]:
    return ["data", "sequence_length"] if at.flag("use_sequence_length", default=False) else ["data"]


def _axis(at: Attributes) -> int:
    return int(at.choice("axis", ("0", "1"), "0"))


def _lengths(at: Attributes, ins: Shapes) -> Shapes:
    data = ins[0]
    if data is None or len(ins) == 1:
        return ins
    if len(data) < 2:
        raise ValueError("data must have at least 2 axes")
    return [data, unify(ins[1], (data[1 - _axis(at)],), "sequence_length")]


def _kept(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(ins[0], outs[0])
    return _lengths(at, [shape, *ins[1:]]), [shape]


def _places(at: Attributes, data: Tensor) -> Array:
    """Return the position of each element of the first two axes in its sequence."""
    return np.array(np.indices(data.shape[:2])[_axis(at)])


def _by_row(to: Builder, at: Attributes, length: Tensor) -> Value:
    """Reshape the lengths to be compared with positions."""
    return to.unsqueeze(to.cast(length, "int64"), _axis(at))


def _wide(to: Builder, value: Value, data: Tensor) -> Value:
    return to.reshape(value, [*data.shape[:2], *[1] * (len(data.shape) - 2)])


def _dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    return [ins[0], *(dtype or ins[0] for dtype in ins[1:])], [ins[0]] * count


@operator("SequenceMask", inputs=_inputs, shapes=_kept, dtypes=_dtypes)
def _sequence_mask(to: Builder, at: Attributes, data: Tensor, length: Tensor | None = None) -> Value:
    if length is None:
        return data
    inside = to.Less(to.constant(_places(at, data)), _by_row(to, at, length))
    return to.Where(_wide(to, inside, data), data, to.constant(at.number("value", 0.0), data.dtype))


def _last_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    ins = _lengths(at, ins)
    data = ins[0]
    output: MaybeShape = None if data is None else (data[1 - _axis(at)], *data[2:])
    return ins, [unify(outs[0], output, "output")]


@operator("SequenceLast", inputs=_inputs, shapes=_last_shapes, dtypes=_dtypes)
def _sequence_last(to: Builder, at: Attributes, data: Tensor, length: Tensor | None = None) -> Value:
    axis = _axis(at)
    if length is None:
        return to.at(data, axis, data.shape[axis] - 1)
    last = to.Sub(to.cast(length, "int64"), 1)
    rows = to.constant(np.arange(data.shape[1 - axis]))
    pair = (last, rows) if axis == 0 else (rows, last)
    return to.GatherND(data, to.Concat(*(to.unsqueeze(number, 1) for number in pair), axis=1))


@operator("SequenceReverse", inputs=_inputs, shapes=_kept, dtypes=_dtypes)
def _sequence_reverse(to: Builder, at: Attributes, data: Tensor, length: Tensor | None = None) -> Value:
    if length is None:
        return to.slice(data, 0, -1, step=-1)
    # Within the length the place is mirrored, beyond it all stays.
    places = to.constant(_places(at, data))
    many = _by_row(to, at, length)
    indices = to.Where(to.Less(places, many), to.Sub(to.Sub(many, places), 1), places)
    rows = to.constant(np.indices(data.shape[:2])[1])
    return to.GatherND(data, to.Concat(to.unsqueeze(indices, 2), to.unsqueeze(rows, 2), axis=2))
