"""Arrays made from attributes and shapes alone."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, Shapes, first_dtype, to_dtype, unify


def _asked_shape(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """Take the shape from the attribute; a 0 in it is inferred from later operators (a recurrent cell's batch)."""
    shape = tuple(max(0, size) for size in at.integers("shape", ()))  # -1 is not known either
    return ins, [unify(outs[0], shape or None, "output")]


def _filled(value: Callable[[Attributes], float]) -> Callable[..., Value]:
    return lambda to, at, *_data: to.constant(np.full(to.outputs[0].shape, value(at)), to.outputs[0].dtype)


operator("_zeros", "_zeros_without_dtype", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_filled(lambda _at: 0.0))
operator("_ones", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_filled(lambda _at: 1.0))
operator("_full", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_filled(lambda at: at.number("value")))
operator("zeros_like")(_filled(lambda _at: 0.0))
operator("ones_like")(_filled(lambda _at: 1.0))


def _has_range(at: Attributes) -> bool:
    """Whether the attributes alone decide the length of a range. If not, it follows from later operators."""
    return at.has("stop") or not at.flag("infer_range", default=False)


def _repeat(at: Attributes) -> int:
    count = at.integer("repeat", 1)
    if count < 1:
        raise ValueError(f"attribute repeat must be from 1, got {count}")
    return count


def _range_length(at: Attributes) -> int:
    start, step = at.number("start", 0.0), at.number("step", 1.0)
    start, stop = (start, at.number("stop")) if at.has("stop") else (0.0, start)
    if not step:
        raise ValueError("attribute step must not be 0")
    count = int(np.ceil((stop - start) / step))
    if count < 1:
        raise ValueError(f"attributes start, stop and step must leave something, got {start}, {stop} and {step}")
    return count * _repeat(at)


def counted(at: Attributes, start: float, size: int, dtype: str) -> Array:
    """Create a range of ``size`` elements from ``start``. Start and step become ``dtype`` first, and whole
    numbers for float16: MXNet multiplies a half by an integer as two integers."""
    kind = np.int64 if dtype == "float16" else np.dtype(dtype)
    first, step = (np.asarray(number, "f8").astype(dtype).astype(kind) for number in (start, at.number("step", 1.0)))
    counts = (np.arange(size) // _repeat(at)).astype(kind)
    return np.asarray(first + counts * step).astype(dtype)


def _range_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [unify(outs[0], (_range_length(at),), "output")] if _has_range(at) else outs


@operator("_arange", inputs=(), shapes=_range_shapes, dtypes=to_dtype())
def _arange(to: Builder, at: Attributes) -> Value:
    out = to.outputs[0]
    start = 0.0 if _has_range(at) and not at.has("stop") else at.number("start", 0.0)
    return to.constant(counted(at, start, out.shape[0], out.dtype), out.dtype)


def _like_shape(at: Attributes, data: Shape) -> Shape:
    axis = at.maybe_integer("axis")
    return data if axis is None else (data[axis],)


@operator("_contrib_arange_like", shape=_like_shape, dtypes=first_dtype)
def _arange_like(to: Builder, at: Attributes, data: Tensor) -> Value:
    shape = to.outputs[0].shape
    return to.constant(counted(at, at.number("start", 0.0), prod(shape), data.dtype).reshape(shape), data.dtype)


@operator("_linspace", inputs=(), shapes=lambda at, ins, _outs: (ins, [(int(at.number("num")),)]), dtypes=to_dtype())
def _linspace(to: Builder, at: Attributes) -> Value:
    ends = at.number("start"), at.number("stop")
    values = np.linspace(*ends, int(at.number("num")), endpoint=at.flag("endpoint", default=True))
    return to.constant(values, to.outputs[0].dtype)


def _eye_shape(at: Attributes, ins: Shapes, _outs: Shapes) -> tuple[Shapes, Shapes]:
    columns = at.integer("M", 0)
    return ins, [(at.integer("N"), columns if columns > 0 else at.integer("N"))]


@operator("_eye", inputs=(), shapes=_eye_shape, dtypes=to_dtype())
def _eye(to: Builder, at: Attributes) -> Value:
    rows, columns = to.outputs[0].shape
    return to.constant(np.eye(rows, columns, at.integer("k", 0)), to.outputs[0].dtype)


def _index_shape(at: Attributes, data: Shape) -> Shape:
    return (*data, len(at.integers("axes", range(len(data)))))


@operator("_contrib_index_array", shape=_index_shape, dtypes=lambda _at, ins, _count: (ins, ["int64"]))
def _index_array(to: Builder, at: Attributes, data: Tensor) -> Value:
    axes = [axis % len(data.shape) for axis in at.integers("axes", range(len(data.shape)))]
    return to.constant(np.stack([np.indices(data.shape)[axis] for axis in axes], axis=-1))
