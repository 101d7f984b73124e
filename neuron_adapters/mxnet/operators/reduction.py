"""Reductions over axes, sorting, and the largest or smallest."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    Dtypes,
    Shape,
    axis_of,
    counted_axis,
    numbered,
    of_dtype,
    rank_at_least,
    to_dtype,
)


def _axes(at: Attributes, rank: int) -> list[int]:
    """Return the axes to reduce: those named, or with ``exclude`` the others; all where none is named."""
    named = {axis_of(axis, rank) for axis in at.integers("axis", ())}
    if not named:
        return list(range(rank))
    return [axis for axis in range(rank) if (axis in named) != at.flag("exclude", default=False)]


def _reduced(at: Attributes, data: Shape) -> Shape:
    axes = _axes(at, len(data))
    if at.flag("keepdims", default=False):
        return tuple(1 if axis in axes else size for axis, size in enumerate(data))
    # MXNet has no array without axes: a sum of everything is an array of one.
    return tuple(size for axis, size in enumerate(data) if axis not in axes) or (1,)


def _reduction(onnx: str, before: Callable[[Builder, Value], Value] | None = None) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        value = before(to, data) if before else data
        return to.reshape(to.reduce(onnx, value, _axes(at, len(data.shape))), to.outputs[0].shape)

    return translate


def _without_nan(fill: float) -> Callable[[Builder, Value], Value]:
    return lambda to, x: to.Where(to.Equal(x, x), x, to.constant(fill, x.dtype))


for _name, _translate in {
    "sum": _reduction("ReduceSum"),
    "mean": _reduction("ReduceMean"),
    "prod": _reduction("ReduceProd"),
    "max": _reduction("ReduceMax"),
    "min": _reduction("ReduceMin"),
    "nansum": _reduction("ReduceSum", _without_nan(0.0)),
    "nanprod": _reduction("ReduceProd", _without_nan(1.0)),
}.items():
    operator(_name, shape=_reduced)(_translate)


@operator("norm", shape=_reduced, dtypes=to_dtype("out_dtype", None))
def _norm(to: Builder, at: Attributes, data: Tensor) -> Value:
    order = at.integer("ord", 2)
    if order not in (1, 2):
        raise ValueError(f"attribute ord must be 1 or 2, got {order}")
    axes, out = _axes(at, len(data.shape)), to.outputs[0]
    if data.dtype.startswith("float") and not out.dtype.startswith("float"):
        raise ValueError(f"attribute out_dtype must be a float for {data.dtype}, got {out.dtype}")
    if order == 2 and not out.dtype.startswith("float"):
        raise BeyondOnnxError("a norm of integers is computed in their own type")
    return to.reshape(to.reduce(f"ReduceL{order}", to.cast(data, out.dtype), axes), out.shape)


def _arg(onnx: str) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        axis = at.maybe_integer("axis")
        value = to.reshape(data, [-1]) if axis is None else data
        places = to.node(onnx, 1, value, axis=0 if axis is None else axis, keepdims=1)[0]
        return to.cast(to.reshape(places, to.outputs[0].shape), data.dtype)

    return translate


# Indices have the dtype of the data, as they had before MXNet had others than float32.
operator("argmax", shape=_reduced)(_arg("ArgMax"))
operator("argmin", shape=_reduced)(_arg("ArgMin"))


def _without_channels(_at: Attributes, data: Shape) -> Shape:
    rank_at_least(2, data)
    return (data[0], *data[2:])


@operator("argmax_channel", shape=_without_channels)
def _argmax_channel(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.cast(to.ArgMax(data, axis=1, keepdims=0), data.dtype)


@operator("multi_sum_sq", inputs=lambda at: numbered("array_", at.count("num_arrays")),
          shape=lambda _at, *shapes: (len(shapes),), dtypes=of_dtype("float32"), variadic="num_arrays")  # fmt: skip
def _multi_sum_sq(to: Builder, _at: Attributes, *tensors: Tensor) -> Value:
    flat = [to.reduce("ReduceSumSquare", to.reshape(tensor, [-1]), [0]) for tensor in tensors]
    return to.cast(to.Concat(*flat, axis=0), "float32")


_RETURNS = ("indices", "value", "both", "mask")


def _order(to: Builder, at: Attributes, data: Tensor, k: int, *, ascending: bool) -> tuple[Value, Value, int]:
    """Return the first ``k`` values, their indices, and the axis. Without an axis ``data`` is flattened. Equal values
    come in any order, as they do in MXNet."""
    axis = _axis(at, len(data.shape))
    value: Value = to.reshape(data, [-1]) if axis is None else data
    size = prod(data.shape) if axis is None else data.shape[axis]
    return *to.top(value, k or size, axis or 0, largest=not ascending), axis or 0


def _axis(at: Attributes, rank: int) -> int | None:
    """Return the axis: the last where it is not given, None where it is given as None."""
    return None if at.is_none("axis") else axis_of(at.integer("axis", -1), rank)


def _top_shapes(at: Attributes, data: Shape) -> list[Shape]:
    axis = _axis(at, len(data))
    kind = at.choice("ret_typ", _RETURNS, "indices")
    size = prod(data) if axis is None else data[axis]
    k = at.integer("k", 1)
    if k > size:
        raise ValueError(f"attribute k must be at most {size}, got {k}")
    if kind == "mask":
        return [data]
    k = k if k > 0 else size
    shape = (k,) if axis is None else (*data[:axis], k, *data[axis + 1 :])
    return [shape] * (2 if kind == "both" else 1)


def _top_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    kind = at.choice("ret_typ", _RETURNS, "indices")
    indices = at.dtype("dtype", "float32")
    if kind == "indices":
        return ins, [indices]
    return ins, [ins[0], indices][:count]


def _top_outputs(at: Attributes) -> list[str]:
    """Name the visible outputs. Where only the values are asked for, the indices are a hidden output."""
    kind = at.choice("ret_typ", _RETURNS, "indices")
    return {"both": ["output0", "output1"], "value": ["output0"]}.get(kind, ["output"])


@operator("topk", outputs=_top_outputs, shape=_top_shapes, dtypes=_top_dtypes)
def _topk(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    kind = at.choice("ret_typ", _RETURNS, "indices")
    ascending = at.flag("is_ascend", default=False)
    values, indices, axis = _order(to, at, data, max(at.integer("k", 1), 0), ascending=ascending)
    if kind == "value":
        return [values]
    if kind == "mask":
        flat = _axis(at, len(data.shape)) is None
        shape = [prod(data.shape)] if flat else list(data.shape)
        zeros = to.constant(np.zeros(shape), data.dtype)
        ones = to.Add(to.Mul(to.cast(indices, data.dtype), 0.0), 1.0)
        return [to.reshape(to.ScatterElements(zeros, indices, ones, axis=axis), data.shape)]
    indices = to.cast(indices, at.dtype("dtype", "float32"))
    return [values, indices] if kind == "both" else [indices]


def _sorted_shape(at: Attributes, data: Shape) -> Shape:
    return (prod(data),) if _axis(at, len(data)) is None else data


@operator("sort", outputs=("output0",), shape=_sorted_shape)
def _sort(to: Builder, at: Attributes, data: Tensor) -> Value:
    return _order(to, at, data, 0, ascending=at.flag("is_ascend", default=True))[0]


@operator("argsort", shape=_sorted_shape, dtypes=to_dtype())
def _argsort(to: Builder, at: Attributes, data: Tensor) -> Value:
    indices = _order(to, at, data, 0, ascending=at.flag("is_ascend", default=True))[1]
    return to.cast(indices, to.outputs[0].dtype)


def _cumulative_shape(at: Attributes, data: Shape) -> Shape:
    axis = at.maybe_integer("axis")
    return (prod(data),) if axis is None else data


def _cumulative_dtype(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    if ins[0] == "bool" and not at.has("dtype"):
        return ins, ["int64"] * count
    return to_dtype(default=None)(at, ins, count)


@operator("_np_cumsum", inputs=("a",), shape=_cumulative_shape, dtypes=_cumulative_dtype)
def _cumulative_sum(to: Builder, at: Attributes, data: Tensor) -> Value:
    axis = at.maybe_integer("axis")
    value = to.reshape(data, [-1]) if axis is None else data
    return to.CumSum(
        to.cast(value, to.outputs[0].dtype), to.constant(counted_axis(axis or 0, len(to.outputs[0].shape)))
    )
