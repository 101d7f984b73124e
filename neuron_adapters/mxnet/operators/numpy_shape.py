"""Deep NumPy's operators on axes, as exported ``mx.np`` blocks have them: shapes, order, joining.

They differ from the classic ones in arrays without axes, which ``()`` is the shape of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, axis_of, numbered

# -- shapes ---------------------------------------------------------------------------------------------------------


def _plain_reshape(at: Attributes, data: Shape) -> Shape:
    codes = at.integers("newshape", ())
    if at.has("order"):
        at.only("order", "C", "memory is always in C's order")
    return _filled(codes, data)


def _filled(sizes: Sequence[int], data: Shape) -> Shape:
    if list(sizes).count(-1) > 1:
        raise ValueError(f"a shape has at most one -1, got {tuple(sizes)}")
    known = prod(size for size in sizes if size != -1)
    shape = tuple(prod(data) // known if size == -1 and known else size for size in sizes)
    if prod(shape) != prod(data):
        raise ValueError(f"attribute newshape {tuple(sizes)} cannot hold the {prod(data)} values of {data}")
    return shape


def _coded_reshape(at: Attributes, data: Shape) -> Shape:
    """Read the codes of ``npx.reshape``: -2 copies a size, -3 drops a size of 1, -4 copies all that are left, -5 joins
    two, -6 splits one into the two after it; ``reverse`` reads all from the right."""
    codes = list(at.integers("newshape", ()))
    if not at.flag("reverse", default=False):
        return _decoded(codes, data)
    return _decoded(codes[::-1], data[::-1])[::-1]


def _decoded(codes: Sequence[int], data: Shape) -> Shape:
    left, sizes = list(data), []
    remaining = iter(codes)
    try:
        for code in remaining:
            if code == -2:
                sizes.append(left.pop(0))
            elif code == -3:
                if left.pop(0) != 1:
                    raise ValueError(f"attribute newshape {tuple(codes)} drops an axis of {data} that is not of size 1")
            elif code == -4:
                sizes += left
                left = []
            elif code == -5:
                sizes.append(left.pop(0) * left.pop(0))
            elif code == -6:
                whole, first, second = left.pop(0), next(remaining), next(remaining)
                first = whole // second if first == -1 else first
                second = whole // first if second == -1 else second
                sizes += [first, second]
            elif code >= -1:
                sizes.append(code)
                left = left[1:]
            else:
                raise ValueError(f"attribute newshape must have sizes or codes from -1 to -6, got {tuple(codes)}")
    except (IndexError, StopIteration, ZeroDivisionError):
        raise ValueError(f"attribute newshape {tuple(codes)} does not fit {data}") from None
    return _filled(sizes, data)


def _reshape(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.reshape(data, to.outputs[0].shape)


operator("_np_reshape", inputs=("a",), shape=_plain_reshape)(_reshape)
operator("_npx_reshape", inputs=("a",), shape=_coded_reshape)(_reshape)


def _squeezed(at: Attributes, data: Shape) -> Shape:
    axes = [axis_of(axis, max(1, len(data))) for axis in at.integers("axis", ())] if at.has("axis") else None
    if axes is None or not data:
        return tuple(size for size in data if size != 1)
    if any(data[axis] != 1 for axis in axes):
        raise ValueError(f"attribute axis must name axes of size 1 of {data}, got {tuple(axes)}")
    return tuple(size for axis, size in enumerate(data) if axis not in axes)


operator("_np_squeeze", inputs=("a",), shape=_squeezed)(_reshape)


def _order(at: Attributes, rank: int) -> list[int]:
    order = [axis_of(axis, rank, "axes") for axis in at.integers("axes", ())] if at.has("axes") else []
    return order or list(range(rank))[::-1]


@operator("_np_transpose", inputs=("a",), shape=lambda at, data: tuple(data[axis] for axis in _order(at, len(data))))
def _transpose(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.transpose(data, _order(at, len(data.shape)))


def _moved(at: Attributes, rank: int) -> list[int]:
    source, target = ([axis_of(axis, rank) for axis in at.integers(name)] for name in ("source", "destination"))
    order = [axis for axis in range(rank) if axis not in source]
    for place, axis in sorted(zip(target, source)):
        order.insert(place, axis)
    return order


@operator("_np_moveaxis", inputs=("a",), shape=lambda at, data: tuple(data[axis] for axis in _moved(at, len(data))))
def _moveaxis(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.transpose(data, _moved(at, len(data.shape)))


def _broadcast_to(at: Attributes, data: Shape) -> Shape:
    asked = at.integers("shape", ())
    own = (1,) * (len(asked) - len(data)) + data
    shape = tuple(size if code == -2 else code for code, size in zip(asked, own))
    if len(own) != len(shape) or any(size not in (1, code) for size, code in zip(own, shape)):
        raise ValueError(f"{data} cannot be broadcast to {asked}")
    return shape


@operator("_npi_broadcast_to", inputs=("array",), shape=_broadcast_to)
def _expand(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.expand(data, to.outputs[0].shape)


@operator("_npi_flip", inputs=("data",))
def _flip(to: Builder, at: Attributes, data: Tensor) -> Value:
    value: Value = data
    for axis in at.integers("axis", range(len(data.shape))):
        value = to.slice(value, axis_of(axis, len(data.shape)), -1, step=-1)
    return value


@operator("_np_roll", inputs=("data",))
def _roll(to: Builder, at: Attributes, data: Tensor) -> Value:
    shift = at.integers("shift")
    value: Value = data if at.has("axis") else to.reshape(data, [-1])
    axes = at.integers("axis") if at.has("axis") else (0,)
    shape = data.shape if at.has("axis") else (prod(data.shape),)
    for axis, count in zip(axes, shift if len(shift) == len(axes) else shift * len(axes)):
        place = axis_of(axis, len(shape))
        value = to.Gather(value, to.constant(np.roll(np.arange(shape[place]), count)), axis=place)
    return to.reshape(value, data.shape)


@operator("_npi_tril", inputs=("data",), shape=lambda _at, data: data * 2 if len(data) == 1 else data)
def _tril(to: Builder, at: Attributes, data: Tensor) -> Value:
    """Of one row a square matrix of such rows."""
    kept = np.tril(np.ones(to.outputs[0].shape[-2:], bool), at.integer("k", 0))
    return to.Where(to.constant(kept, "bool"), data, to.constant(0, data.dtype))


# -- joining --------------------------------------------------------------------------------------------------------


def _arguments(at: Attributes) -> list[str]:
    return numbered("data", at.count("num_args"))


def _joined(axis: Callable[[Attributes, Shape], int], before: Callable[[Shape], Shape]) -> Callable[..., Shape]:
    def shape(at: Attributes, *shapes: Shape) -> Shape:
        parts = [before(part) for part in shapes]
        place = axis_of(axis(at, parts[0]), len(parts[0]))
        if any((*part[:place], *part[place + 1 :]) != (*parts[0][:place], *parts[0][place + 1 :]) for part in parts):
            raise ValueError(f"shapes {', '.join(map(str, shapes))} differ on other axes than {place}")
        return (*parts[0][:place], sum(part[place] for part in parts), *parts[0][place + 1 :])

    return shape


def _join(axis: Callable[[Attributes, Shape], int], before: Callable[[Shape], Shape]) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
        place = axis_of(axis(at, before(tensors[0].shape)), len(before(tensors[0].shape)))
        parts = [to.reshape(tensor, before(tensor.shape)) for tensor in tensors]
        return to.Concat(*parts, axis=place)

    return translate


def _flat_without_axis(at: Attributes) -> bool:
    return at.is_none("axis")


def _concatenated(at: Attributes, *shapes: Shape) -> Shape:
    if _flat_without_axis(at):
        return (sum(map(prod, shapes)),)
    return _joined(lambda at, _first: at.integer("axis", 0), lambda shape: shape)(at, *shapes)


@operator("_npi_concatenate", inputs=_arguments, outputs=("out",), shape=_concatenated, variadic="num_args")
def _concatenate(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
    if _flat_without_axis(at):
        return to.Concat(*(to.reshape(tensor, [-1]) for tensor in tensors), axis=0)
    return _join(lambda at, _first: at.integer("axis", 0), lambda shape: shape)(to, at, *tensors)


def _at_least(rank: int) -> Callable[[Shape], Shape]:
    def shape(data: Shape) -> Shape:
        if rank == 2 and len(data) < 2:
            return (1, *data) if data else (1, 1)
        if rank == 3 and len(data) < 3:
            return (1, *data, 1) if len(data) == 1 else (*data, 1) if data else (1, 1, 1)
        return data or (1,)

    return shape


for _name, _axis, _rank in (
    ("_npi_vstack", lambda _at, _shape: 0, 2),
    ("_npi_hstack", lambda _at, shape: 0 if len(shape) == 1 else 1, 1),
    ("_npi_dstack", lambda _at, _shape: 2, 3),
):
    operator(
        _name, inputs=_arguments, outputs=("output",) if _rank == 2 else ("out",), variadic="num_args",
        shape=_joined(_axis, _at_least(_rank)),
    )(_join(_axis, _at_least(_rank)))  # fmt: skip


def _stacked(at: Attributes, *shapes: Shape) -> Shape:
    if len(set(shapes)) > 1:
        raise ValueError(f"all inputs must have one shape, got {', '.join(map(str, shapes))}")
    place = axis_of(at.integer("axis", 0), len(shapes[0]) + 1)
    return (*shapes[0][:place], len(shapes), *shapes[0][place:])


@operator("_npi_stack", inputs=lambda at: numbered("arg", at.count("num_args")), shape=_stacked, variadic="num_args")
def _stack(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
    place = axis_of(at.integer("axis", 0), len(tensors[0].shape) + 1)
    return to.Concat(*(to.unsqueeze(tensor, place) for tensor in tensors), axis=place)
