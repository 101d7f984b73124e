"""Concatenates arrays, stacks them, and splits them."""

from __future__ import annotations

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    MaybeShape,
    Shape,
    Shapes,
    arguments,
    axis_of,
    complete,
    numbered,
    unify,
)
from neuron_adapters.mxnet.util import is_np_shape


def _joined_shapes(at: Attributes, ins: Shapes, outs: Shapes, *, equal: bool = False) -> tuple[Shapes, Shapes]:
    """``equal``: inputs of unknown sizes share what is left of the output's."""
    known = next((shape for shape in (*ins, *outs) if shape is not None), None)
    if known is None:
        return ins, outs
    axis = axis_of(at.integer("dim", 1), len(known), "dim")
    # All agree beside the axis.
    beside: MaybeShape = None
    for shape in (*ins, *outs):
        if shape is not None and len(shape) == len(known):
            beside = unify(beside, (*shape[:axis], 0, *shape[axis + 1 :]))
        elif shape is not None:
            raise ValueError("all inputs must have the same number of axes")
    assert beside is not None
    sizes = [0 if shape is None else shape[axis] for shape in ins]
    total = 0 if outs[0] is None else outs[0][axis]
    # MXNet adds up the inputs that it knows anything of, and refuses the sum later where another one has more.
    if at.exact or all(shape is None or shape[axis] for shape in ins):
        total = sum(sizes)
    elif equal and total and 0 in sizes:
        each = (total - sum(sizes)) // sizes.count(0)
        sizes = [size or each for size in sizes]
    inferred = [(*beside[:axis], size, *beside[axis + 1 :]) for size in (*sizes, total)]
    return [unify(known, shape) for known, shape in zip(ins, inferred)], [unify(outs[0], inferred[-1], "output")]


def _parameter_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return _joined_shapes(at, ins, outs, equal=True)


@operator("Concat", inputs=arguments, shapes=_joined_shapes, variadic="num_args")
def _concat(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
    return to.Concat(*tensors, axis=axis_of(at.integer("dim", 1), len(tensors[0].shape), "dim"))


operator("_rnn_param_concat", inputs=arguments, shapes=_parameter_shapes, variadic="num_args")(_concat)


def _stacked(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """What is known of one input is known of the output, but of no other input."""
    shape: MaybeShape = None
    for taken in ins:
        shape = unify(shape, taken, "inputs")
    if shape is None or not (at.exact or complete(shape)):
        return ins, outs
    axis = axis_of(at.integer("axis", 0), len(shape) + 1)
    return ins, [unify(outs[0], (*shape[:axis], len(ins), *shape[axis:]), "output")]


@operator("stack", inputs=arguments, shapes=_stacked, variadic="num_args")
def _stack(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
    axis = axis_of(at.integer("axis", 0), len(tensors[0].shape) + 1)
    return to.Concat(*(to.unsqueeze(tensor, axis) for tensor in tensors), axis=axis)


def _outputs(count: int) -> list[str]:
    return numbered("output", count) if count > 1 else ["output"]


def _channel_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = ins[0]
    if data is None:
        return ins, outs
    count, axis = at.count("num_outputs"), axis_of(at.integer("axis", 1), len(data))
    if data[axis] % count:
        raise ValueError(f"attribute num_outputs ({count}) must divide axis {axis}, which has {data[axis]}")
    size = data[axis] // count
    if at.flag("squeeze_axis", default=False):
        if size > 1:
            raise ValueError(f"attribute squeeze_axis must be False where parts of axis {axis} have size {size}")
        stacked = (*data[:axis], *data[axis + 1 :])
    else:
        stacked = (*data[:axis], size, *data[axis + 1 :])
    if not is_np_shape():
        stacked = stacked or (1,)
    shape: MaybeShape = stacked
    for out in outs:
        shape = unify(shape, out, "output")
    if shape is not None and len(data) > 1:  # sizes may be known from what comes after
        between = (count,) if _squeezes(at) else (shape[axis] * count,)
        ins[0] = (*shape[:axis], *between, *shape[axis + (not _squeezes(at)) :])
    return ins, [shape] * count


@operator("SliceChannel", outputs=lambda at: numbered("output", at.count("num_outputs")), shapes=_channel_shapes)
def _slice_channel(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    count, axis = at.count("num_outputs"), axis_of(at.integer("axis", 1), len(data.shape))
    parts = to.split(data, axis, [data.shape[axis] // count] * count)
    return [to.reshape(part, out.shape) for part, out in zip(parts, to.outputs)] if _squeezes(at) else parts


def _squeezes(at: Attributes) -> bool:
    return at.flag("squeeze_axis", default=False)


def _split_count(at: Attributes) -> int:
    return max(at.integer("sections", 0), 0) or len(_begins(at))


def _begins(at: Attributes) -> list[int]:
    """Read where the parts begin. The text has a 0 first, whatever the user wrote."""
    return list(at.integers("indices", ()))


def _sizes(at: Attributes, size: int) -> list[int]:
    sections = at.integer("sections", 0)
    if sections > 0:
        return [size // sections + (part < size % sections) for part in range(sections)]
    begins = _begins(at)
    return [end - begin for begin, end in zip(begins, [*begins[1:], size])]


def _split_shape(at: Attributes, data: Shape) -> list[Shape]:
    axis = axis_of(at.integer("axis", 1), len(data))
    between = () if _squeezes(at) else (0,)
    sizes = _sizes(at, data[axis])
    return [(*data[:axis], *(size for _ in between), *data[axis + 1 :]) for size in sizes]


@operator("_split_v2", outputs=lambda at: _outputs(_split_count(at)), shape=_split_shape)
def _split_v2(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    axis = axis_of(at.integer("axis", 1), len(data.shape))
    parts = to.split(data, axis, _sizes(at, data.shape[axis]))
    return [to.reshape(part, out.shape) for part, out in zip(parts, to.outputs)] if _squeezes(at) else parts
