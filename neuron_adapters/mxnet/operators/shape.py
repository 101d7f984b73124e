"""Changes shape and order of axes, and broadcasts."""

from __future__ import annotations

from math import prod

from neuron_adapters.mxnet._shapes import reshaped
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import MaybeShape, Shape, Shapes, axis_of, complete, like_dtype, unify


def _reshape_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    codes = at.integers("shape", ())
    data = ins[0]
    if not codes and at.has("target_shape"):
        # The attribute of versions before 0.9: one size may be 0, which is computed.
        target = at.integers("target_shape")
        codes = tuple(-1 if size == 0 else size for size in target)
        if at.flag("keep_highest", default=False):
            codes = (0, *codes[1:])
    if data is None:
        return _reshape_back(codes, ins, outs)
    output = unify(outs[0], reshaped(data, codes, at.flag("reverse", default=False)), "output")
    if output is not None and complete(output) and data.count(0) == 1:
        # The weights of a recurrent layer are reshaped so, and its first input says how wide they are.
        data = tuple(size or prod(output) // prod(filter(None, data)) for size in data)
    return [data], [output]


def _reshape_back(codes: Shape, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if codes and min(codes) > 0:
        return ins, [unify(outs[0], codes, "output")]
    return ins, outs


def _span(at: Attributes, side: str, rank: int) -> tuple[int, int]:
    begin, end = at.maybe_integer(f"{side}_begin"), at.maybe_integer(f"{side}_end")
    return (begin or 0) % max(rank, 1), rank if end is None else end if end >= 0 else end + rank


def _reshape_like_shape(at: Attributes, left: Shape, right: Shape) -> Shape:
    left_span, right_span = _span(at, "lhs", len(left)), _span(at, "rhs", len(right))
    shape = (*left[: left_span[0]], *right[right_span[0] : right_span[1]], *left[left_span[1] :])
    if prod(shape) != prod(left):
        raise ValueError(f"{left} cannot be reshaped to {shape}")
    return shape


def _flat(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    output: MaybeShape = None if data is None else (data[0], prod(data[1:]))
    output = unify(outs[0], output, "output")
    if data is not None and output is not None:
        ins[0] = (output[0], *data[1:])
    return ins, [output]


def _order(at: Attributes, rank: int) -> list[int]:
    order = [axis_of(axis, rank, "axes") for axis in at.integers("axes", ())] or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"attribute axes must name each of {rank} axes once, got {tuple(order)}")
    return order


def _transposed(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    known = ins[0] or outs[0]
    if not known:
        return ins, outs
    order = _order(at, len(known))
    output = ins[0] and tuple(ins[0][axis] for axis in order)
    output = unify(outs[0], output, "output")
    return [output and tuple(output[order.index(axis)] for axis in range(len(order)))], [output]


@operator("transpose", shapes=_transposed)
def _transpose(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.transpose(data, _order(at, len(data.shape)))


def _swapped(at: Attributes, data: Shape) -> Shape:
    first, second = (axis_of(at.integer(name, 0), len(data), name) for name in ("dim1", "dim2"))
    sizes = list(data)
    sizes[first], sizes[second] = sizes[second], sizes[first]
    return tuple(sizes)


@operator("SwapAxis", shape=_swapped)
def _swap(to: Builder, at: Attributes, data: Tensor) -> Value:
    rank = len(data.shape)
    return to.swap(data, rank, axis_of(at.integer("dim1", 0), rank), axis_of(at.integer("dim2", 0), rank))


def _expanded(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data, output = ins[0], outs[0]
    rank = len(data) + 1 if data is not None else len(output or ())
    if not rank:
        return ins, outs
    axis = axis_of(at.integer("axis"), rank)
    if output is not None:
        data = unify(data, (*output[:axis], *output[axis + 1 :]), "data")
    assert data is not None
    return [data], [unify(output, (*data[:axis], 1, *data[axis:]), "output")]


def _squeezed(at: Attributes, data: Shape) -> Shape:
    axes = {axis_of(axis, len(data)) for axis in at.integers("axis", ())}
    if not at.has("axis"):
        axes = {axis for axis, size in enumerate(data) if size == 1}
    for axis in axes:
        if data[axis] != 1:
            raise ValueError(f"attribute axis must name axes of size 1, axis {axis} has {data[axis]}")
    return tuple(size for axis, size in enumerate(data) if axis not in axes) or (1,)


def _broadcast_shape(at: Attributes, data: Shape) -> Shape:
    wanted = at.integers("shape", ())
    if len(wanted) != len(data) or any(new not in (0, old) and old != 1 for old, new in zip(data, wanted)):
        raise ValueError(f"attribute shape must have the sizes of {data} where they are not 1, got {wanted}")
    return tuple(new or old for old, new in zip(data, wanted))


def _broadcast_axes(at: Attributes, data: Shape) -> Shape:
    sizes = list(data)
    for axis, size in zip(at.integers("axis", ()), at.integers("size", ())):
        place = axis_of(axis, len(data))
        if data[place] != 1:
            raise ValueError(f"attribute axis must name axes of size 1, axis {axis} has {data[place]}")
        sizes[place] = size
    return tuple(sizes)


def _broadcast_like_shape(at: Attributes, left: Shape, right: Shape) -> Shape:
    sizes = list(left)
    both = at.has("lhs_axes") and at.has("rhs_axes")  # one alone counts for nothing
    left_axes, right_axes = (at.integers(name, ()) if both else () for name in ("lhs_axes", "rhs_axes"))
    if both and not left_axes:
        raise ValueError("attributes lhs_axes and rhs_axes must name at least one axis, or be left out")
    if not left_axes and len(left) != len(right):
        raise ValueError(f"both inputs must have the same number of axes, got {left} and {right}")
    pairs = zip(left_axes, right_axes) if left_axes else zip(range(len(left)), range(len(right)))
    for left_axis, right_axis in pairs:
        place, size = axis_of(left_axis, len(left), "lhs_axes"), right[axis_of(right_axis, len(right), "rhs_axes")]
        if left[place] not in (1, size):
            raise ValueError(f"{left} cannot be broadcast like {right}")
        sizes[place] = size
    return tuple(sizes)


def _reshape(to: Builder, _at: Attributes, data: Tensor, *_like: Tensor) -> Value:
    return to.reshape(data, to.outputs[0].shape)


def _expand(to: Builder, _at: Attributes, data: Tensor, *_like: Tensor) -> Value:
    return to.expand(data, to.outputs[0].shape)


_TWO = ("lhs", "rhs")
operator("Reshape", shapes=_reshape_shapes)(_reshape)
operator("reshape_like", inputs=_TWO, shape=_reshape_like_shape, dtypes=like_dtype)(_reshape)
operator("Flatten", shapes=_flat)(_reshape)
operator("expand_dims", shapes=_expanded)(_reshape)
operator("squeeze", shape=_squeezed)(_reshape)
operator("broadcast_to", shape=_broadcast_shape)(_expand)
operator("broadcast_axis", shape=_broadcast_axes)(_expand)
operator("broadcast_like", inputs=_TWO, shape=_broadcast_like_shape, dtypes=like_dtype)(_expand)
