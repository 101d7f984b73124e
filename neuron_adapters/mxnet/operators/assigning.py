"""Operators that copy an array and write to a part of the copy: what ``x[begin:end] = y`` is in a graph."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape


def _slices(at: Attributes, shape: Shape) -> tuple[slice, ...]:
    begin, end, step = (at.maybe_integers(name) for name in ("begin", "end", "step"))
    if not len(begin) == len(end) <= len(shape):
        raise ValueError(f"attributes begin and end must have a number for each of at most {len(shape)} axes")
    return tuple(map(slice, begin, end, (*step, *[None] * len(begin))))


def _places(at: Attributes, shape: Shape) -> Array:
    """Return the index of each element of the part, in the shape of the part. Raises ValueError."""
    part = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)[_slices(at, shape)]
    return np.stack(np.unravel_index(part, shape), axis=-1)


def _with_part(_at: Attributes, data: Shape, *_part: Shape) -> Shape:
    return data


def _assigned(at: Attributes, data: Shape, part: Shape) -> Shape:
    parts = _slices(at, data)
    wanted = (*(len(range(*each.indices(size))) for each, size in zip(parts, data)), *data[len(parts) :])
    if part != wanted:
        raise ValueError(f"rhs must have the shape {wanted}, got {part}")
    return data


@operator("_slice_assign", inputs=("lhs", "rhs"), shape=_assigned)
def _slice_assign(to: Builder, at: Attributes, data: Tensor, part: Tensor) -> Value:
    places = _places(at, data.shape)
    return to.ScatterND(data, to.constant(places), part)


@operator("_slice_assign_scalar", shape=_with_part)
def _slice_assign_scalar(to: Builder, at: Attributes, data: Tensor) -> Value:
    places = _places(at, data.shape)
    return to.ScatterND(
        data, to.constant(places), to.constant(np.full(places.shape[:-1], at.number("scalar", 0.0)), data.dtype)
    )
