"""Deep NumPy's sums, products and arrays from nothing, as exported ``mx.np`` blocks have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, axis_of, numbered, of_dtype, to_dtype, unify
from neuron_adapters.mxnet.operators.creation import counted
from neuron_adapters.mxnet.operators.elementwise import truncated

# -- sums and extremes ----------------------------------------------------------------------------------------------


def _axes(at: Attributes, rank: int) -> list[int]:
    """Return the axes that are reduced. An array without axes has, as in NumPy, an axis 0 that is none."""
    if not at.has("axis"):
        return list(range(rank))
    axes = [axis_of(axis, max(1, rank)) for axis in at.integers("axis")]
    return [axis for axis in axes if axis < rank]


def _reduced(at: Attributes, data: Shape) -> Shape:
    axes = _axes(at, len(data))
    if at.flag("keepdims", default=False):
        return tuple(1 if axis in axes else size for axis, size in enumerate(data))
    return tuple(size for axis, size in enumerate(data) if axis not in axes)


def _sum_dtype(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    dtype = at.dtype("dtype") if at.has("dtype") else "int64" if ins[0] == "bool" else ins[0]
    return ins, [dtype] * count


def _mean_dtype(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = ins[0] if ins[0] is None or ins[0].startswith("float") else "float32"
    return ins, [at.dtype("dtype") if at.has("dtype") else known] * count


def _reduction(onnx: str) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        if at.has("initial"):
            raise ValueError("attribute initial is not in this package")
        out = to.outputs[0]
        if not prod(data.shape) and onnx in ("ReduceProd", "ReduceMean"):  # of no numbers MXNet gives 0
            return to.constant(np.zeros(out.shape), out.dtype)
        axes = _axes(at, len(data.shape))
        return to.reshape(_cut(to, to.reduce(onnx, to.cast(data, _wider(data.dtype, out.dtype)), axes)), out.shape)

    return translate


def _wider(source: str, asked: str) -> str:
    """Return the dtype to compute in: floats become integers at the end."""
    return source if source.startswith("float") and not asked.startswith("float") else asked


def _cut(to: Builder, value: Value) -> Value:
    """Convert a result to the output's dtype."""
    dtype = to.outputs[0].dtype
    cut = value.dtype.startswith("float") and not dtype.startswith(("float", "bool"))
    return to.cast(truncated(to, value) if cut else value, dtype)


operator("_np_sum", inputs=("a",), shape=_reduced, dtypes=_sum_dtype)(_reduction("ReduceSum"))
operator("_np_prod", inputs=("a",), shape=_reduced, dtypes=_sum_dtype)(_reduction("ReduceProd"))
operator("_np_max", inputs=("a",), shape=_reduced)(_reduction("ReduceMax"))
operator("_np_min", inputs=("a",), shape=_reduced)(_reduction("ReduceMin"))
operator("_npi_mean", inputs=("a",), shape=_reduced, dtypes=_mean_dtype)(_reduction("ReduceMean"))


def _moment(root: bool) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        if not data.dtype.startswith("float"):
            raise BeyondOnnxError("a variance of integers is computed in their own type")
        axes, value = _axes(at, len(data.shape)), to.cast(data, _wider(data.dtype, to.outputs[0].dtype))
        count = prod(data.shape[axis] for axis in axes) - at.integer("ddof", 0)
        middle = to.Sub(value, to.reduce("ReduceMean", value, axes))
        total = to.reduce("ReduceSum", to.Mul(middle, middle), axes)
        variance = to.Mul(total, 1.0 / count) if count > 0 else to.Div(total, 0.0)
        if root:  # of what the output's type holds of the variance
            variance = to.Sqrt(to.cast(_cut(to, variance), variance.dtype))
        return to.reshape(_cut(to, variance), to.outputs[0].shape)

    return translate


for _name in ("var", "std"):
    operator(f"_npi_{_name}", inputs=("a",), outputs=(_name,), shape=_reduced, dtypes=to_dtype(default=None))(
        _moment(root=_name == "std")
    )


def _quantified(onnx: str) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        if not prod(data.shape):
            return to.constant(np.full(to.outputs[0].shape, onnx == "ReduceMin"), "bool")
        holds = data if data.dtype == "bool" else to.Not(to.Equal(data, 0.0))
        value = to.reduce(onnx, to.cast(holds, "int32"), _axes(at, len(data.shape)))
        return to.reshape(to.Greater(value, 0), to.outputs[0].shape)

    return translate


operator("_np_any", inputs=("data",), shape=_reduced, dtypes=of_dtype("bool"))(_quantified("ReduceMax"))
operator("_np_all", inputs=("data",), shape=_reduced, dtypes=of_dtype("bool"))(_quantified("ReduceMin"))


def _place(onnx: str) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        axis = at.maybe_integer("axis") if data.shape else None
        value = to.reshape(data, [-1]) if axis is None else data
        return to.reshape(to.node(onnx, 1, value, axis=axis or 0, keepdims=1)[0], to.outputs[0].shape)

    return translate


operator("_npi_argmax", shape=_reduced, dtypes=of_dtype("int64"))(_place("ArgMax"))
operator("_npi_argmin", shape=_reduced, dtypes=of_dtype("int64"))(_place("ArgMin"))


def _arguments(at: Attributes) -> list[str]:
    return numbered("data", at.count("num_args"))


# -- products -------------------------------------------------------------------------------------------------------


def _product_shape(left: Shape, right: Shape) -> Shape:
    try:
        return tuple(np.matmul(np.broadcast_to(0, left), np.broadcast_to(0, right)).shape)
    except ValueError:
        raise ValueError(f"{left} and {right} cannot be multiplied") from None


def _dot_shape(_at: Attributes, left: Shape, right: Shape) -> Shape:
    if not left or not right:
        return left or right
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise ValueError(f"{left} and {right} cannot be multiplied")
    return (*left[:-1], *right[:-2], *right[-1:]) if len(right) > 1 else left[:-1]


@operator("_npi_matmul", inputs=("a", "b"), outputs=("out",),
          shape=lambda _at, left, right: _product_shape(left, right))  # fmt: skip
def _matmul(to: Builder, _at: Attributes, left: Tensor, right: Tensor) -> Value:
    return to.MatMul(left, right)


@operator("_np_dot", inputs=("a", "b"), shape=_dot_shape)
def _dot(to: Builder, _at: Attributes, left: Tensor, right: Tensor) -> Value:
    if not left.shape or not right.shape:
        return to.Mul(left, right)
    if len(right.shape) < 3:
        return to.MatMul(left, right)
    return _summed(to, left, right, [len(left.shape) - 1], [len(right.shape) - 2])


def _summed(to: Builder, left: Tensor, right: Tensor, ours: Sequence[int], theirs: Sequence[int]) -> Value:
    """Sum products over axes of both: as a product of two matrices."""
    mine = [axis for axis in range(len(left.shape)) if axis not in ours]
    other = [axis for axis in range(len(right.shape)) if axis not in theirs]
    inner = prod(left.shape[axis] for axis in ours)
    rows, columns = prod(left.shape[axis] for axis in mine), prod(right.shape[axis] for axis in other)
    if not prod(left.shape) or not prod(right.shape):  # sums of no numbers, or no sums
        return to.constant(np.zeros(to.outputs[0].shape), left.dtype)
    first = to.reshape(to.transpose(left, [*mine, *ours]), [rows, inner])
    second = to.reshape(to.transpose(right, [*theirs, *other]), [inner, columns])
    return to.reshape(to.MatMul(first, second), to.outputs[0].shape)


def _contracted(at: Attributes, left: int, right: int) -> tuple[list[int], list[int]]:
    if at.has("axes"):
        count = at.integer("axes")
        return list(range(left - count, left)), list(range(count))
    ours, theirs = at.integers("a_axes_summed", ()), at.integers("b_axes_summed", ())
    return [axis_of(axis, left) for axis in ours], [axis_of(axis, right) for axis in theirs]


def _tensordot_shape(at: Attributes, left: Shape, right: Shape) -> Shape:
    ours, theirs = _contracted(at, len(left), len(right))
    if [left[axis] for axis in ours] != [right[axis] for axis in theirs]:
        raise ValueError(f"{left} and {right} differ on the axes that are summed, {ours} and {theirs}")
    kept = [size for axis, size in enumerate(left) if axis not in ours]
    return (*kept, *(size for axis, size in enumerate(right) if axis not in theirs))


@operator("_npi_tensordot", inputs=("a", "b"), shape=_tensordot_shape)
def _tensordot(to: Builder, at: Attributes, left: Tensor, right: Tensor) -> Value:
    return _summed(to, left, right, *_contracted(at, len(left.shape), len(right.shape)))


operator("_npi_tensordot_int_axes", inputs=("a", "b"), shape=_tensordot_shape)(_tensordot)


def _einsum_shape(at: Attributes, *shapes: Shape) -> Shape:
    return tuple(np.einsum(_subscripts(at), *(np.broadcast_to(np.float32(0), shape) for shape in shapes)).shape)


def _subscripts(at: Attributes) -> str:
    text = at.text("subscripts")
    if not text:
        raise ValueError("attribute subscripts is required")
    return text


@operator("_npi_einsum", inputs=_arguments, shape=_einsum_shape, variadic="num_args")
def _einsum(to: Builder, at: Attributes, *tensors: Tensor) -> Value:
    return to.Einsum(*tensors, equation=_subscripts(at))


# -- made from nothing ----------------------------------------------------------------------------------------------


def _asked_shape(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [unify(outs[0], at.integers("shape", ()), "output")]


def _constant(value: float) -> Callable[..., Value]:
    return lambda to, _at, *_data: to.constant(np.full(to.outputs[0].shape, value), to.outputs[0].dtype)


operator("_npi_zeros", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_constant(0.0))
operator("_npi_ones", inputs=(), shapes=_asked_shape, dtypes=to_dtype())(_constant(1.0))


@operator("_npi_full_like", inputs=("a",), dtypes=to_dtype("dtype", None))
def _full_like(to: Builder, at: Attributes, _data: Tensor) -> Value:
    return to.constant(np.full(to.outputs[0].shape, at.number("fill_value")), to.outputs[0].dtype)


def _range(at: Attributes) -> tuple[float, float, float]:
    start, step = at.number("start", 0.0), at.number("step", 1.0)
    if not step:
        raise ValueError("attribute step must not be 0")
    return (start, at.number("stop"), step) if at.has("stop") else (0.0, start, step)


def _range_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    start, stop, step = _range(at)
    return ins, [unify(outs[0], (max(0, int(np.ceil((stop - start) / step))),), "output")]


@operator("_npi_arange", inputs=(), shapes=_range_shapes, dtypes=to_dtype())
def _arange(to: Builder, at: Attributes) -> Value:
    out = to.outputs[0]
    return to.constant(counted(at, _range(at)[0], out.shape[0], out.dtype), out.dtype)


@operator("_npi_identity", inputs=(), shapes=_asked_shape, dtypes=to_dtype())
def _identity(to: Builder, _at: Attributes) -> Value:
    rows, columns = to.outputs[0].shape
    if rows != columns:
        raise ValueError(f"attribute shape must be square, got {(rows, columns)}")
    return to.constant(np.eye(rows), to.outputs[0].dtype)


def _eye_shapes(at: Attributes, ins: Shapes, _outs: Shapes) -> tuple[Shapes, Shapes]:
    rows, columns = at.integer("N"), at.maybe_integer("M")
    return ins, [(rows, rows if columns is None else columns)]


@operator("_npi_eye", inputs=(), shapes=_eye_shapes, dtypes=to_dtype())
def _eye(to: Builder, at: Attributes) -> Value:
    rows, columns = to.outputs[0].shape
    return to.constant(np.eye(rows, columns, at.integer("k", 0)), to.outputs[0].dtype)


def _random_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    return ins, [unify(outs[0], at.integers("size", ()), "output")]


for _name, _parameters in {"uniform": ("low", "high"), "normal": ("loc", "scale")}.items():

    @operator(f"_npi_{_name}", inputs=(), shapes=_random_shapes, dtypes=to_dtype())
    def _draw(to: Builder, at: Attributes, name: str = _name, parameters: tuple[str, str] = _parameters) -> Value:
        values = [at.number(parameter) for parameter in parameters]
        shape, dtype = to.outputs[0].shape, to.outputs[0].dtype
        return to.draw(lambda: _random.draw(name, values, shape, dtype), shape, dtype)
