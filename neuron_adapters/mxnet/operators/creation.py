"""Arrays made from attributes and shapes alone."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import Shape, Shapes, operator
from neuron_adapters.mxnet.operators._rules import first_dtype, forward, one_dtype, same, to_dtype, unify


def _given(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """The attribute's shape, in which a 0 waits for what comes after (a recurrent cell's batch)."""
    shape = at.integers("shape", ())
    return ins, [unify(outs[0], shape or None, "output")]


@operator("_zeros", inputs=(), shapes=_given, dtypes=to_dtype())
def _zeros(to: Builder, _at: Attributes) -> Value:
    return to.constant(np.zeros(to.outputs[0].shape), to.outputs[0].dtype)


@operator("_zeros_without_dtype", inputs=(), shapes=_given, dtypes=to_dtype())
def _zeros_without_dtype(to: Builder, _at: Attributes) -> Value:
    return to.constant(np.zeros(to.outputs[0].shape), to.outputs[0].dtype)


@operator("_ones", inputs=(), shapes=_given, dtypes=to_dtype())
def _ones(to: Builder, _at: Attributes) -> Value:
    return to.constant(np.ones(to.outputs[0].shape), to.outputs[0].dtype)


@operator("_full", inputs=(), shapes=_given, dtypes=to_dtype())
def _full(to: Builder, at: Attributes) -> Value:
    return to.constant(np.full(to.outputs[0].shape, at.number("value")), to.outputs[0].dtype)


@operator("zeros_like", "_sparse_zeros_like", shapes=same, dtypes=one_dtype)
def _zeros_like(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.constant(np.zeros(data.shape), data.dtype)


@operator("ones_like", shapes=same, dtypes=one_dtype)
def _ones_like(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.constant(np.ones(data.shape), data.dtype)


def _range(at: Attributes) -> Array:
    start, step = at.number("start", 0.0), at.number("step", 1.0)
    if at.has("stop"):
        stop = at.number("stop")
    else:
        start, stop = 0.0, start
    count = int(np.ceil((stop - start) / step))
    if count < 1:
        raise ValueError(f"attributes start, stop and step must leave something, got {start}, {stop} and {step}")
    return np.repeat(start + np.arange(count) * step, at.integer("repeat", 1))


def _range_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if at.flag("infer_range", default=False) and not at.has("stop"):
        return ins, outs
    return ins, [unify(outs[0], _range(at).shape, "output")]


@operator("_arange", inputs=(), shapes=_range_shapes, dtypes=to_dtype())
def _arange(to: Builder, at: Attributes) -> Value:
    if at.flag("infer_range", default=False) and not at.has("stop"):
        # Only what comes after says how long it is.
        size = to.outputs[0].shape[0]
        places = np.arange(size) // at.integer("repeat", 1)
        return to.constant(at.number("start", 0.0) + places * at.number("step", 1.0), to.outputs[0].dtype)
    return to.constant(_range(at), to.outputs[0].dtype)


def _like_shape(at: Attributes, data: Shape) -> Shape:
    axis = at.maybe_integer("axis")
    return data if axis is None else (data[axis],)


@operator("_contrib_arange_like", shapes=forward(_like_shape), dtypes=first_dtype)
def _arange_like(to: Builder, at: Attributes, data: Tensor) -> Value:
    shape = to.outputs[0].shape
    places = np.arange(int(np.prod(shape))) // at.integer("repeat", 1)
    values = at.number("start", 0.0) + places * at.number("step", 1.0)
    return to.constant(values.reshape(shape), data.dtype)


@operator("_linspace", inputs=(), shapes=lambda at, ins, _outs: (ins, [(int(at.number("num")),)]), dtypes=to_dtype())
def _linspace(to: Builder, at: Attributes) -> Value:
    ends = at.number("start"), at.number("stop")
    values = np.linspace(*ends, int(at.number("num")), endpoint=at.flag("endpoint", default=True))
    return to.constant(values, to.outputs[0].dtype)


def _eye_shape(at: Attributes, ins: Shapes, _outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [(at.integer("N"), at.integer("M", 0) or at.integer("N"))]


@operator("_eye", inputs=(), shapes=_eye_shape, dtypes=to_dtype())
def _eye(to: Builder, at: Attributes) -> Value:
    return to.constant(np.eye(at.integer("N"), at.integer("M", 0) or None, at.integer("k", 0)), to.outputs[0].dtype)


def _index_shape(at: Attributes, data: Shape) -> Shape:
    return (*data, len(at.integers("axes", range(len(data)))))


@operator("_contrib_index_array", shapes=forward(_index_shape), dtypes=lambda _at, ins, _count: (ins, ["int64"]))
def _index_array(to: Builder, at: Attributes, data: Tensor) -> Value:
    axes = [axis % len(data.shape) for axis in at.integers("axes", range(len(data.shape)))]
    return to.constant(np.stack([np.indices(data.shape)[axis] for axis in axes], axis=-1))
