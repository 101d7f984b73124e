"""Deep NumPy's operators of two numbers that classic MXNet lacks, of bits, and arrays of them made from nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, axis_of, broadcast, one_dtype, to_dtype
from neuron_adapters.mxnet.operators.arithmetic import scalar_dtype, scalar_of
from neuron_adapters.mxnet.operators.elementwise import truncated
from neuron_adapters.mxnet.operators.numpy_elementwise import precise

Pair = Callable[[Builder, Value, Value], Value]


def _float_pair(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """Integers of two dtypes give float32."""
    known = next((dtype for dtype in ins if dtype is not None), None)
    ins = [dtype or known for dtype in ins]
    dtype = precise(ins[0], ins[-1])
    if dtype is None or dtype.startswith("float") or (ins[0] == ins[-1] and dtype != "bool"):
        return ins, [dtype] * count
    return ins, ["float32"] * count


def _arctan2(to: Builder, y: Value, x: Value) -> Value:
    right = to.Atan(to.Div(y, x))
    turned = to.Where(to.Less(y, 0.0), to.Sub(right, math.pi), to.Add(right, math.pi))
    upright = to.Mul(to.Sign(y), math.pi / 2)
    value = to.Where(to.Less(x, 0.0), turned, right)
    return to.Where(to.Equal(x, 0.0), upright, value)


def _copysign(to: Builder, x: Value, y: Value) -> Value:
    return to.Where(to.Less(y, 0.0), to.Neg(to.Abs(x)), to.Abs(x))


def _ldexp(to: Builder, x: Value, y: Value) -> Value:
    return to.Mul(x, to.Pow(to.constant(2.0, x.dtype), y))


_FLOATS: dict[str, tuple[tuple[str, str], Pair]] = {
    "arctan2": (("x1", "x2"), _arctan2),
    "copysign": (("lhs", "rhs"), _copysign),
    "ldexp": (("lhs", "rhs"), _ldexp),
}


def _computed(to: Builder, pair: Pair, x: Value, y: Value) -> Value:
    """Compute in floats; whole numbers are cut off."""
    dtype = to.outputs[0].dtype
    if dtype.startswith("float"):
        return pair(to, to.cast(x, dtype), to.cast(y, dtype))
    x, y = (to.cast(to.cast(value, dtype), "float32") for value in (x, y))
    return to.cast(truncated(to, pair(to, x, y)), dtype)


def _of_two(pair: Pair) -> Callable[..., Value]:
    return lambda to, _at, x, y: _computed(to, pair, x, y)


def _with_number(pair: Pair, swapped: bool) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, x: Tensor) -> Value:
        dtype = to.outputs[0].dtype
        number = to.constant(scalar_of(at, dtype), dtype)
        return _computed(to, pair, number, x) if swapped else _computed(to, pair, x, number)

    return translate


for _name, (_inputs, _pair) in _FLOATS.items():
    operator(f"_npi_{_name}", inputs=_inputs, shapes=broadcast, dtypes=_float_pair)(_of_two(_pair))
    operator(f"_npi_{_name}_scalar", dtypes=scalar_dtype)(_with_number(_pair, swapped=False))
    operator(f"_npi_r{_name}_scalar", dtypes=scalar_dtype)(_with_number(_pair, swapped=True))


# -- whole numbers --------------------------------------------------------------------------------------------------


def _whole(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    ins, outs = one_dtype(at, ins, count)
    if any(dtype is not None and dtype.startswith("float") for dtype in ins):
        raise ValueError(f"it computes with whole numbers, got {ins[0]}; add a cast")
    return ins, outs


def _of_booleans(onnx: str) -> Callable[..., Value]:
    def translate(to: Builder, _at: Attributes, x: Tensor, *others: Tensor) -> Value:
        if not onnx or x.dtype != "bool":
            raise BeyondOnnxError("bits of integers are computed by NumPy")
        return to.node(onnx, 1, x, *others)[0]

    return translate


for _name, _onnx in {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor", "lcm": ""}.items():
    operator(f"_npi_{_name}", inputs=("lhs", "rhs"), shapes=broadcast, dtypes=_whole)(_of_booleans(_onnx))
    operator(f"_npi_{_name}_scalar", dtypes=_whole)(_of_booleans(""))
operator("_npi_bitwise_not", inputs=("x",), dtypes=_whole)(_of_booleans("Not"))


# -- made from nothing ----------------------------------------------------------------------------------------------


def _of_shape(shape: Callable[[Attributes], Shape]) -> Callable[..., tuple[Shapes, Shapes]]:
    return lambda at, ins, _outs: (ins, [shape(at)])


def _index_shape(at: Attributes) -> Shape:
    dimensions = at.integers("dimensions", ())
    return (len(dimensions), *dimensions)


@operator("_npi_indices", inputs=(), shapes=_of_shape(_index_shape), dtypes=to_dtype("dtype", "int32"))
def _indices(to: Builder, at: Attributes) -> Value:
    return to.constant(np.indices(at.integers("dimensions", ())), to.outputs[0].dtype)


@operator("_npi_logspace", inputs=(), shapes=_of_shape(lambda at: (at.count("num"),)), dtypes=to_dtype())
def _logspace(to: Builder, at: Attributes) -> Value:
    ends = at.number("start"), at.number("stop")
    endpoint, base = at.flag("endpoint", default=True), at.number("base", 10.0)
    numbers = np.logspace(*ends, at.count("num"), endpoint=endpoint, base=base)
    return to.constant(numbers, to.outputs[0].dtype)


def _window(function: Callable[[int], Array]) -> Callable[..., Value]:
    return lambda to, at: to.constant(function(at.integer("M")), to.outputs[0].dtype)


for _name, _function in {"blackman": np.blackman, "hamming": np.hamming, "hanning": np.hanning}.items():
    operator(f"_npi_{_name}", inputs=(), shapes=_of_shape(lambda at: (max(0, at.integer("M")),)), dtypes=to_dtype())(
        _window(_function)
    )


# -- orders of numbers ----------------------------------------------------------------------------------------------


def _percentile_inputs(at: Attributes) -> list[str]:
    return ["a"] if at.has("q_scalar") else ["a", "q"]


def _percentile_shape(at: Attributes, data: Shape, asked: Shape = ()) -> Shape:
    axes = [axis_of(axis, len(data)) for axis in at.integers("axis")] if at.has("axis") else range(len(data))
    kept = at.flag("keepdims", default=False)
    return (*asked, *(1 if axis in axes else size for axis, size in enumerate(data) if kept or axis not in axes))


def _percentile_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = ins[0] if ins[0] in (None, "float64") else "float32"
    return [ins[0], *(dtype or "float32" for dtype in ins[1:])], [known] * count


@operator("_npi_percentile", inputs=_percentile_inputs, shape=_percentile_shape, dtypes=_percentile_dtypes)
def _percentile(_to: Builder, _at: Attributes, *_data: Tensor) -> Value:
    raise BeyondOnnxError("a percentile sorts")
