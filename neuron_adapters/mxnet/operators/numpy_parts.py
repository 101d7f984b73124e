"""Deep NumPy's operators that put numbers in other places: padding, diagonals, parts, what is put in.

Where each number of the output comes from is found by NumPy's own function, on numbers of places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, axis_of, first_dtype, numbered, of_dtype

#: A function of attributes and of an array of places, from 1 on; 0 is a place that holds zero.
Places = Callable[[Attributes, Array], Array]


def _places(shape: Shape, first: int = 1) -> Array:
    return np.arange(first, first + prod(shape)).reshape(shape)


def _moved(to: Builder, sources: Sequence[Value], places: Array, dtype: str) -> Value:
    """Take numbers of some arrays, one after another, from their places; 0 is a zero."""
    flat: Value = to.Concat(*(to.reshape(source, [-1]) for source in sources), axis=0)
    if not places.size:
        return to.constant(np.zeros(places.shape), dtype)
    value = to.Gather(flat, to.constant(np.maximum(places - 1, 0)), axis=0)
    if places.min() > 0:
        return value
    return to.Where(to.constant(places > 0, "bool"), value, to.constant(0, dtype))


def _axes(at: Attributes, name: str, rank: int, default: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis_of(axis, rank, name) for axis in at.integers(name, default))


def _diagonal(at: Attributes, places: Array) -> Array:
    first, second = (axis_of(at.integer(name, number), places.ndim) for name, number in (("axis1", 0), ("axis2", 1)))
    return np.diagonal(places, at.integer("offset", 0), first, second)


def _rotated(at: Attributes, places: Array) -> Array:
    first, second = _axes(at, "axes", places.ndim, (0, 1))
    return np.rot90(places, at.integer("k", 1), (first, second))


def _slice(at: Attributes) -> int | slice:
    """Read which places are meant: one, or a slice."""
    if at.has("int_ind"):
        return at.integer("int_ind")
    start, stop, step = (at.maybe_integer(name) for name in ("start", "stop", "step"))
    if start is None and stop is None and step is None:
        raise ValueError("attributes int_ind, or start, stop and step are required")
    return slice(start, stop, step)


_MOVED: dict[str, tuple[str, Places]] = {
    "_np_diag": ("data", lambda at, places: np.diag(places, at.integer("k", 0))),
    "_np_diagflat": ("data", lambda at, places: np.diagflat(places, at.integer("k", 0))),
    "_np_diagonal": ("data", _diagonal),
    "_npi_rot90": ("data", _rotated),
}


def _shape_of(function: Places) -> Callable[..., Shape]:
    def shape(at: Attributes, data: Shape) -> Shape:
        try:
            return tuple(function(at, _places(data)).shape)
        except IndexError as error:
            raise ValueError(str(error)) from error

    return shape


def _rearranged(function: Places) -> Callable[..., Value]:
    return lambda to, at, data: _moved(to, [data], function(at, _places(data.shape)), data.dtype)


for _name, (_input, _function) in _MOVED.items():
    operator(_name, inputs=(_input,), shape=_shape_of(_function))(_rearranged(_function))


# -- padding --------------------------------------------------------------------------------------------------------


def _widths(at: Attributes, rank: int) -> list[tuple[int, int]]:
    numbers = [int(word) for word in at.text("pad_width").translate(str.maketrans("()[],", "     ")).split()]
    if len(numbers) == 2 and rank != 1:
        numbers *= rank
    if len(numbers) != 2 * rank or min(numbers, default=0) < 0:
        raise ValueError(f"attribute pad_width must have two sizes for each of {rank} axes, got {at.text('pad_width')}")
    return list(zip(numbers[::2], numbers[1::2]))


def _padded_shape(at: Attributes, data: Shape) -> Shape:
    return tuple(size + before + behind for size, (before, behind) in zip(data, _widths(at, len(data))))


@operator("_npi_pad", shape=_padded_shape)
def _pad(to: Builder, at: Attributes, data: Tensor) -> Value:
    mode = at.choice("mode", ("constant", "edge", "reflect", "symmetric", "maximum", "minimum"), "constant")
    if at.has("reflect_type"):
        at.only("reflect_type", "even", "MXNet has no other")
    widths = _widths(at, len(data.shape))
    if mode == "constant":
        sizes = [before for before, _behind in widths] + [behind for _before, behind in widths]
        return to.Pad(data, to.constant(sizes), at.number("constant_value", 0.0), mode="constant")
    value: Value = data
    for axis, (size, width) in enumerate(zip(data.shape, widths)):
        if not any(width):
            continue
        if mode in ("maximum", "minimum"):
            extreme = to.reduce(f"Reduce{mode[:3].capitalize()}", value, [axis])
            sides = [to.Concat(*[extreme] * count, axis=axis) if count else None for count in width]
            value = to.Concat(*(part for part in (sides[0], value, sides[1]) if part is not None), axis=axis)
        else:
            places = np.pad(np.arange(size), width, mode)  # type: ignore[call-overload] # a mode by name
            value = to.Gather(value, to.constant(places), axis=axis)
    return value


# -- what is put in -------------------------------------------------------------------------------------------------


def _insert_inputs(at: Attributes) -> list[str]:
    return ["arr"] if at.has("val") else ["arr", "values"]


def _inserted(at: Attributes, data: Shape, values: Shape = ()) -> Array:
    added = _places(values, 1 + prod(data))
    return np.insert(_places(data), _slice(at), added, at.maybe_integer("axis"))


def _inserted_shape(at: Attributes, data: Shape, values: Shape = ()) -> Shape:
    try:
        return tuple(_inserted(at, data, values).shape)
    except IndexError as error:
        raise ValueError(str(error)) from error


def _insert(to: Builder, at: Attributes, data: Tensor, *values: Tensor) -> Value:
    added = [to.cast(value, data.dtype) for value in values] or [to.constant(at.number("val"), data.dtype)]
    places = _inserted(at, data.shape, values[0].shape if values else ())
    return _moved(to, [data, *added], places, data.dtype)


for _name in ("_npi_insert_scalar", "_npi_insert_slice"):
    operator(_name, inputs=_insert_inputs, shape=_inserted_shape, dtypes=first_dtype)(_insert)


def _remaining(at: Attributes, places: Array) -> Array:
    return np.delete(places, _slice(at), at.maybe_integer("axis"))


operator("_npi_delete", inputs=("arr",), shape=_shape_of(_remaining))(_rearranged(_remaining))


# -- parts and joins ------------------------------------------------------------------------------------------------


def _split_points(at: Attributes, data: Shape) -> tuple[int, list[int]]:
    axis = axis_of(at.integer("axis", 1), len(data))
    sections, size = at.integer("sections", 0), data[axis]
    if not sections:
        return axis, [*at.integers("indices", ())[1:], size]
    if size % sections:
        raise ValueError(f"attribute sections ({sections}) does not divide axis {axis} of {data}")
    return axis, [size // sections * (part + 1) for part in range(sections)]


def _part_sizes(at: Attributes, data: Shape) -> tuple[int, list[int]]:
    axis, ends = _split_points(at, data)
    starts = [0, *ends[:-1]]
    return axis, [max(0, min(end, data[axis]) - min(start, data[axis])) for start, end in zip(starts, ends)]


def _part_shapes(at: Attributes, data: Shape) -> list[Shape]:
    axis, sizes = _part_sizes(at, data)
    return [(*data[:axis], size, *data[axis + 1 :]) for size in sizes]


def _part_names(at: Attributes) -> list[str]:
    return numbered("output", at.integer("sections", 0) or len(at.integers("indices", ())))


def _split(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    axis, sizes = _part_sizes(at, data.shape)
    return to.split(data, axis, sizes)


for _name in ("_npi_hsplit", "_npi_dsplit"):
    operator(_name, outputs=_part_names, shape=_part_shapes)(_split)


def _column(shape: Shape) -> Shape:
    return (prod(shape), 1) if len(shape) < 2 else shape


def _columns_shape(_at: Attributes, *shapes: Shape) -> Shape:
    parts = [_column(shape) for shape in shapes]
    if len({(part[0], *part[2:]) for part in parts}) > 1:
        raise ValueError(f"shapes {', '.join(map(str, shapes))} differ on other axes than 1")
    return (parts[0][0], sum(part[1] for part in parts), *parts[0][2:])


@operator("_npi_column_stack", inputs=lambda at: numbered("data", at.count("num_args")), shape=_columns_shape,
          variadic="num_args")  # fmt: skip
def _column_stack(to: Builder, _at: Attributes, *tensors: Tensor) -> Value:
    return to.Concat(*(to.reshape(tensor, _column(tensor.shape)) for tensor in tensors), axis=1)


def _at_least(rank: int) -> Callable[[Shape], Shape]:
    function = (np.atleast_1d, np.atleast_2d, np.atleast_3d)[rank - 1]
    return lambda shape: function(np.broadcast_to(0, shape)).shape


def _expanded(rank: int) -> Any:
    def shapes(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        return ins, [out if shape is None else _at_least(rank)(shape) for shape, out in zip(ins, outs)]

    def outputs(at: Attributes) -> list[str]:
        return numbered("output", at.count("num_args")) if at.count("num_args") > 1 else ["output"]

    def translate(to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
        return [to.reshape(tensor, out.shape) for tensor, out in zip(tensors, to.outputs)]

    def dtypes(_at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
        return ins, list(ins)

    return operator(f"_np_atleast_{rank}d", inputs=lambda at: numbered("ary", at.count("num_args")), outputs=outputs,
                    shapes=shapes, dtypes=dtypes, variadic="num_args")(translate)  # fmt: skip


for _rank in (1, 2, 3):
    _expanded(_rank)


# -- differences, means, polynomials --------------------------------------------------------------------------------


def _difference_shape(at: Attributes, data: Shape) -> Shape:
    axis = axis_of(at.integer("axis", -1), len(data))
    return tuple(max(0, size - at.integer("n", 1)) if place == axis else size for place, size in enumerate(data))


@operator("_npi_diff", inputs=("a",), shape=_difference_shape)
def _difference(to: Builder, at: Attributes, data: Tensor) -> Value:
    axis = axis_of(at.integer("axis", -1), len(data.shape))
    value: Value = data
    if not prod(to.outputs[0].shape):
        return to.constant(np.zeros(to.outputs[0].shape), data.dtype)
    for _step in range(at.integer("n", 1)):
        value = to.Sub(to.slice(value, axis, 1), to.slice(value, axis, 0, -1))
    return value


_ENDS = ("to_begin", "to_end")


def _ends(at: Attributes) -> list[str]:
    """Name the arrays around differences."""
    arrays = [name for name in _ENDS if at.flag(f"{name}_arr_given", default=False)]
    return [f"input{place}" for place in range(1, 2 + len(arrays))]


def _ends_shape(at: Attributes, data: Shape, *arrays: Shape) -> Shape:
    numbers = sum(at.has(f"{name}_scalar") for name in _ENDS)
    return (max(0, prod(data) - 1) + numbers + sum(map(prod, arrays)),)


@operator("_npi_ediff1d", inputs=_ends, shape=_ends_shape)
def _with_ends(to: Builder, at: Attributes, data: Tensor, *arrays: Tensor) -> Value:
    flat, left = to.reshape(data, [-1]), list(arrays)
    parts: list[Value] = [to.Sub(to.slice(flat, 0, 1), to.slice(flat, 0, 0, -1))] if prod(data.shape) > 1 else []
    for name in _ENDS:
        end: Value | None = None
        if at.flag(f"{name}_arr_given", default=False):
            end = to.reshape(left.pop(0), [-1])
        elif at.has(f"{name}_scalar"):
            end = to.constant([at.number(f"{name}_scalar")], data.dtype)
        if end is not None:
            parts.insert(0 if name == "to_begin" else len(parts), end)
    return to.Concat(*parts, axis=0)


def _mean_inputs(at: Attributes) -> list[str]:
    return ["a", "weights"] if at.flag("weighted", default=True) else ["a"]


def mean_axes(at: Attributes, rank: int) -> list[int]:
    """Return the axes that a mean is taken over."""
    return [axis_of(axis, rank) for axis in at.integers("axis")] if at.has("axis") else list(range(rank))


def _mean_shapes(at: Attributes, data: Shape, *_weights: Shape) -> list[Shape]:
    axes = mean_axes(at, len(data))
    return [tuple(size for axis, size in enumerate(data) if axis not in axes)] * len(_mean_outputs(at))


def _mean_outputs(at: Attributes) -> list[str]:
    return ["output0", "output1"] if at.flag("returned", default=False) else ["output0"]


@operator("_npi_average", inputs=_mean_inputs, outputs=_mean_outputs, shape=_mean_shapes)
def _average(to: Builder, at: Attributes, data: Tensor, *weights: Tensor) -> list[Value]:
    if not data.dtype.startswith("float"):
        raise BeyondOnnxError("a mean of integers is computed by NumPy")
    axes, shape = mean_axes(at, len(data.shape)), to.outputs[0].shape
    if not weights:
        count = to.constant(np.full(shape, prod(data.shape[axis] for axis in axes)), data.dtype)
        return [to.reshape(to.reduce("ReduceMean", data, axes), shape), count][: len(to.outputs)]
    weight: Value = weights[0]
    if len(weights[0].shape) == 1 and len(data.shape) > 1:
        weight = to.reshape(weight, [-1 if axis == axes[0] else 1 for axis in range(len(data.shape))])
    weight = to.expand(weight, data.shape)
    total = to.reduce("ReduceSum", weight, axes)
    mean = to.Div(to.reduce("ReduceSum", to.Mul(data, weight), axes), total)
    return [to.reshape(value, shape) for value in (mean, total)][: len(to.outputs)]


@operator("_npi_polyval", inputs=("p", "x"), shape=lambda _at, _p, x: x)
def _polynomial(to: Builder, _at: Attributes, factors: Tensor, x: Tensor) -> Value:
    """By Horner's rule."""
    value = to.Mul(x, 0.0)
    for place in range(factors.shape[0]):
        value = to.Add(to.Mul(value, x), to.at(factors, 0, place))
    return value


@operator("_npi_diag_indices_from", shape=lambda _at, data: (len(data), data[0]), dtypes=of_dtype("int64"))
def _diagonal_indices(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.constant(np.tile(np.arange(data.shape[0]), (len(data.shape), 1)))
