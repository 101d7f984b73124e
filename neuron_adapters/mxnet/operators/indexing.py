"""Parts of arrays, by place and by index."""

from __future__ import annotations

from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    Dtypes,
    Shape,
    Shapes,
    axis_of,
    complete,
    first_dtype,
    like_dtype,
    one_dtype,
    rank_at_least,
    to_dtype,
    unify,
)
from neuron_adapters.mxnet.operators.arithmetic import true


def _ranges(at: Attributes, data: Shape) -> list[range]:
    """Return the indices that ``begin``, ``end`` and ``step`` select of each axis."""
    begin, end, step = at.maybe_integers("begin"), at.maybe_integers("end"), at.maybe_integers("step")
    if len(begin) != len(end) or len(begin) > len(data) or (step and len(step) != len(begin)):
        raise ValueError(f"attributes begin, end and step must have as many parts, at most {len(data)}")
    ranges = []
    for axis, size in enumerate(data):
        if axis >= len(begin):
            ranges.append(range(size))
            continue
        every = 1 if not step or step[axis] is None else step[axis]
        if not every:
            raise ValueError(f"attribute step must not have a 0, got {step}")
        places = range(*slice(begin[axis], end[axis], every).indices(size))
        if not places and not at.exact:
            raise ValueError(f"attributes begin and end leave nothing of axis {axis}, which has {size}")
        ranges.append(places)
    return ranges


def _slice_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """Of a size that is not known MXNet says nothing, whatever begin and end are."""
    data = ins[0]
    if data is None:
        return ins, outs
    counts = [len(places) for places in _ranges(at, tuple(size or _LARGE for size in data))]
    return ins, [unify(outs[0], tuple(count if size else 0 for count, size in zip(counts, data)), "output")]


#: In place of a size that is not known.
_LARGE = 1 << 40


@operator("slice", shapes=_slice_shapes)
def _slice(to: Builder, at: Attributes, data: Tensor) -> Value:
    value: Value = data
    for axis, places in enumerate(_ranges(at, data.shape)):
        if places != range(data.shape[axis]):
            end = places[-1] + places.step if places else 0
            value = to.slice(value, axis, places[0] if places else 0, end if end >= 0 else None, places.step)
    return value


def _axis_range(at: Attributes, data: Shape) -> tuple[int, int, int]:
    axis = axis_of(at.integer("axis"), len(data))
    size, begin, end = data[axis], at.integer("begin"), at.maybe_integer("end")
    begin, end = begin + size * (begin < 0), size if end is None else end + size * (end < 0)
    if not 0 <= begin < end <= size:
        raise ValueError(f"attributes begin and end must leave some of axis {axis}, within its {size} places")
    return axis, begin, end


def _axis_shape(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if not data[axis_of(at.integer("axis"), len(data))]:
        return ins, [unify(outs[0], data, "output")]
    axis, begin, end = _axis_range(at, data)
    return ins, [unify(outs[0], (*data[:axis], end - begin, *data[axis + 1 :]), "output")]


@operator("slice_axis", shapes=_axis_shape)
def _slice_axis(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.slice(data, *_axis_range(at, data.shape))


def _like_axes(at: Attributes, data: Shape) -> list[int]:
    return [axis_of(axis, len(data), "axes") for axis in at.integers("axes", ())] or list(range(len(data)))


def _like_shape(at: Attributes, data: Shape, like: Shape) -> Shape:
    axes = _like_axes(at, data)
    if any(axis >= len(like) or like[axis] > data[axis] for axis in axes):
        raise ValueError(f"shape_like {like} must not be larger than data {data} on the axes {tuple(axes)}")
    return tuple(like[axis] if axis in axes else size for axis, size in enumerate(data))


@operator("slice_like", inputs=("data", "shape_like"), shape=_like_shape, dtypes=like_dtype)
def _slice_like(to: Builder, at: Attributes, data: Tensor, like: Tensor) -> Value:
    value: Value = data
    for axis in _like_axes(at, data.shape):
        if like.shape[axis] != data.shape[axis]:
            value = to.slice(value, axis, 0, like.shape[axis])
    return value


def places(to: Builder, index: Value, size: int, mode: str) -> Value:
    """Convert indices of any dtype to int64 within ``size``; ``mode`` says what happens to those out of range."""
    whole = to.cast(index, "int64")
    if mode == "wrap":
        return to.Mod(whole, size)
    return to.Clip(whole, 0, size - 1)


def _taken(at: Attributes, data: Shape, index: Shape) -> Shape:
    axis = axis_of(at.integer("axis", 0), len(data))
    return (*data[:axis], *index, *data[axis + 1 :])


@operator("take", inputs=("a", "indices"), shape=_taken, dtypes=first_dtype)
def _take(to: Builder, at: Attributes, data: Tensor, index: Tensor) -> Value:
    axis = axis_of(at.integer("axis", 0), len(data.shape))
    mode = at.choice("mode", ("clip", "wrap", "raise"), "clip")
    # With "raise" a guard sees an index outside, and NumPy's form of the graph raises.
    whole = to.cast(index, "int64") if mode == "raise" else places(to, index, data.shape[axis], mode)
    return to.Gather(data, whole, axis=axis)


def _batch_take_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    if ins[1] not in (None, "int32"):
        raise ValueError(f"its indices are int32, got {ins[1]}; add a Cast")
    return [ins[0], "int32"], [ins[0]] * count


@operator("batch_take", inputs=("a", "indices"), shape=lambda _at, _data, index: index, dtypes=_batch_take_dtypes)
def _batch_take(to: Builder, _at: Attributes, data: Tensor, index: Tensor) -> Value:
    column = to.unsqueeze(places(to, to.reshape(index, [-1]), data.shape[1], "clip"), 1)
    return to.reshape(to.GatherElements(data, column, axis=1), index.shape)


def _embedding_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    width = at.integer("output_dim")
    ins[1] = unify(ins[1], (at.integer("input_dim"), width), "weight")
    return ins, [unify(outs[0], None if ins[0] is None else (*ins[0], width), "output")]


def _embedding_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    weight = ins[1] or at.dtype("dtype", "float32")
    return [ins[0], weight], [weight] * count


@operator("Embedding", "_contrib_SparseEmbedding", inputs=("data", "weight"), shapes=_embedding_shapes,
          dtypes=_embedding_dtypes)  # fmt: skip
def _embedding(to: Builder, at: Attributes, data: Tensor, weight: Tensor) -> Value:
    return to.Gather(weight, places(to, data, at.integer("input_dim"), "clip"), axis=0)


def _nd_shape(_at: Attributes, data: Shape, index: Shape) -> Shape:
    if index[0] > len(data):
        raise ValueError(f"indices of {index[0]} axes do not fit data {data}")
    return (*index[1:], *data[index[0] :])


@operator("gather_nd", inputs=("data", "indices"), shape=_nd_shape, dtypes=first_dtype)
def _gather_nd(to: Builder, _at: Attributes, data: Tensor, index: Tensor) -> Value:
    """A negative index counts from the end before its fraction is cut off."""
    sizes = np.array(data.shape[: index.shape[0]]).reshape(-1, *[1] * (len(index.shape) - 1))
    place = index if index.dtype.startswith("float") else to.cast(index, "int64")
    counted = to.Where(to.Less(place, 0), to.Add(place, to.constant(sizes, place.dtype)), place)
    return to.GatherND(data, _rows(to, counted, len(index.shape)))


def _rows(to: Builder, index: Value, rank: int) -> Value:
    """Move the coordinates to the last axis, where ONNX has them; MXNet has them on the first."""
    return to.transpose(to.cast(index, "int64"), [*range(1, rank), 0])


def _scattered(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [unify(outs[0], at.integers("shape"), "output")]


@operator("scatter_nd", inputs=("data", "indices"), shapes=_scattered, dtypes=first_dtype)
def _scatter_nd(to: Builder, at: Attributes, data: Tensor, index: Tensor) -> Value:
    return to.ScatterND(
        to.constant(np.zeros(at.integers("shape")), data.dtype), _rows(to, index, len(index.shape)), data
    )


def _pick_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    if at.is_none("axis"):
        raise ValueError("attribute axis must be a number: pick takes one axis")
    place = axis_of(at.integer("axis", -1), len(data))
    kept = (*data[:place], 1, *data[place + 1 :])
    gone = (*data[:place], *data[place + 1 :])
    index = unify(ins[1], kept if len(ins[1] or ()) == len(data) else gone or (1,), "index")
    return [data, index], [unify(outs[0], kept if at.flag("keepdims", default=False) else gone or (1,), "output")]


@operator("pick", inputs=("data", "index"), shapes=_pick_shapes, dtypes=first_dtype)
def _pick(to: Builder, at: Attributes, data: Tensor, index: Tensor) -> Value:
    axis = axis_of(at.integer("axis", -1), len(data.shape))
    indices = places(to, index, data.shape[axis], at.choice("mode", ("clip", "wrap"), "clip"))
    kept = [*data.shape[:axis], 1, *data.shape[axis + 1 :]]
    return to.reshape(to.GatherElements(data, to.reshape(indices, kept), axis=axis), to.outputs[0].shape)


@operator("one_hot", inputs=("indices",), shape=lambda at, index: (*index, at.integer("depth")), dtypes=to_dtype())
def _one_hot(to: Builder, at: Attributes, index: Tensor) -> Value:
    dtype = to.outputs[0].dtype
    whole = to.unsqueeze(to.cast(index, "int64"), len(index.shape))
    # Not ONNX's OneHot: it counts negative indices from the end, where MXNet has no place for them.
    hot = to.Equal(whole, to.constant(np.arange(at.integer("depth"))))
    on, off = (to.constant(at.number(*what), dtype) for what in (("on_value", 1.0), ("off_value", 0.0)))
    return to.Where(hot, on, off)


def _where_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(unify(ins[1], ins[2]), outs[0])
    condition = ins[0]
    if condition is None or not (at.exact or complete(condition)):
        return ins, outs
    if shape is not None and len(condition) != len(shape) and condition != shape[:1]:
        raise ValueError(f"condition must have the shape {shape} or {shape[:1]}")
    return [condition, shape, shape], [shape]


def _where_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    values, outs = one_dtype(at, ins[1:], count)
    return [ins[0], *values], outs


@operator("where", inputs=("condition", "x", "y"), shapes=_where_shapes, dtypes=_where_dtypes)
def _where(to: Builder, _at: Attributes, condition: Tensor, x: Tensor, y: Tensor) -> Value:
    chosen = true(to, condition)
    if len(condition.shape) != len(x.shape):
        chosen = to.reshape(chosen, [-1, *[1] * (len(x.shape) - 1)])
    return to.Where(chosen, x, y)


@operator("_ravel_multi_index", shape=lambda _at, data: data[1:])
def _ravel(to: Builder, at: Attributes, data: Tensor) -> Value:
    sizes = at.integers("shape")
    steps = np.array([prod(sizes[axis + 1 :]) for axis in range(len(sizes))])
    steps = steps.reshape([-1] + [1] * (len(data.shape) - 1))
    return to.reduce("ReduceSum", to.Mul(data, to.constant(steps, data.dtype)), [0], keep=False)


def _unraveled(at: Attributes, data: Shape) -> Shape:
    """MXNet has room for the first axis of the places alone."""
    rank_at_least(1, data)
    if data[0] and prod(data) != data[0]:
        raise ValueError(f"data must have one axis, got {data}: MXNet writes beyond its memory")
    return (len(at.integers("shape")), data[0])


@operator("_unravel_index", shape=_unraveled)
def _unravel(to: Builder, at: Attributes, data: Tensor) -> Value:
    sizes = at.integers("shape")
    left = to.reshape(to.cast(data, "int64"), [-1])
    parts = []
    for axis in reversed(range(len(sizes))):
        parts.append(left if axis == 0 else to.Mod(left, sizes[axis]))
        left = to.Div(left, sizes[axis])
    return to.cast(to.Concat(*(to.unsqueeze(part, 0) for part in reversed(parts)), axis=0), data.dtype)


@operator("_contrib_index_copy", inputs=("old_tensor", "index_vector", "new_tensor"),
          shape=lambda _at, old, _index, _new: old, dtypes=first_dtype)  # fmt: skip
def _index_copy(to: Builder, _at: Attributes, old: Tensor, index: Tensor, new: Tensor) -> Value:
    return to.ScatterND(old, to.unsqueeze(to.cast(index, "int64"), 1), new)
