"""Deep NumPy's operators element by element: ``_npi_add`` and its kind, as exported ``mx.np`` blocks have them.

They differ from the classic ones in dtypes: comparisons give booleans, dtypes may be mixed, a division gives floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes, broadcast, of_dtype, same, unify
from neuron_adapters.mxnet.operators.arithmetic import BINARY, Binary, scalar_dtype, scalar_of, true
from neuron_adapters.mxnet.operators.elementwise import UNARY, Unary

#: Deep NumPy's names for functions that classic MXNet has, too.
_SAME = (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "degrees", "exp",
    "expm1", "fix", "floor", "log", "log10", "log1p", "log2", "negative", "radians", "reciprocal", "rint", "sign",
    "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip
_RENAMED = {"_npi_absolute": "abs", "_npx_relu": "relu", "_npx_sigmoid": "sigmoid"}


def _unary(function: Unary) -> Callable[[Builder, Attributes, Tensor], Value]:
    return lambda to, _at, x: function(to, x)


for _name in _SAME:
    operator(f"_npi_{_name}", inputs=("x",))(_unary(UNARY[_name]))
for _name, _known in _RENAMED.items():
    operator(_name, inputs=("data",) if _name.startswith("_npx") else ("x",))(_unary(UNARY[_known]))


@operator("_np_copy", inputs=("a",))
def _copy(_to: Builder, _at: Attributes, x: Tensor) -> Value:
    return x


@operator("_npi_around", inputs=("x",))
def _around(to: Builder, at: Attributes, x: Tensor) -> Value:
    decimals = at.integer("decimals", 0)
    if not x.dtype.startswith("float"):
        return x if decimals >= 0 else _cut_off(to, x, 10**-decimals)
    if decimals == 0:
        return to.Round(x)
    factor = 10.0**decimals
    return to.Mul(to.Round(to.Mul(x, factor)), 1 / factor)


def _cut_off(to: Builder, x: Tensor, unit: int) -> Value:
    """Cut whole numbers off towards zero, as MXNet does: of tens, 15 becomes 10, and -47 -40."""
    return to.Mul(x, 0) if unit > np.iinfo(x.dtype).max else to.Mul(to.Div(x, unit), unit)


def _is(kind: str) -> Callable[[Builder, Attributes, Tensor], Value]:
    def translate(to: Builder, _at: Attributes, x: Tensor) -> Value:
        if not x.dtype.startswith("float"):
            return to.constant(np.full(x.shape, kind == "isfinite"), "bool")
        nan = to.Not(to.Equal(x, x))
        endless = to.Equal(to.Abs(x), math.inf)
        if kind in ("isposinf", "isneginf"):
            return to.Equal(x, math.inf if kind == "isposinf" else -math.inf)
        return {"isnan": nan, "isinf": endless, "isfinite": to.Not(to.Or(nan, endless))}[kind]

    return translate


for _name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf"):
    operator(f"_npi_{_name}", inputs=("x",), dtypes=of_dtype("bool"))(_is(_name))


@operator("_npi_logical_not", inputs=("x",), dtypes=of_dtype("bool"))
def _logical_not(to: Builder, _at: Attributes, x: Tensor) -> Value:
    return to.Not(true(to, x))


# -- two arrays -----------------------------------------------------------------------------------------------------

_FLOATS = ("float64", "float32", "float16")
_INTEGERS = ("int64", "int32", "int16", "uint8", "int8", "bool")


def precise(left: str | None, right: str | None) -> str | None:
    """Return the dtype that two of them make."""
    if left is None or right is None or left == right:
        return left or right
    if {left, right} == {"int8", "uint8"}:
        return "int32"
    return next((dtype for dtype in (*_FLOATS, *_INTEGERS) if dtype in (left, right)), left)


def _mixed(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = next((dtype for dtype in ins if dtype is not None), None)
    ins = [dtype or known for dtype in ins]
    return ins, [precise(*ins)] * count


def _divided(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = next((dtype for dtype in ins if dtype is not None), None)
    ins = [dtype or known for dtype in ins]
    dtype = precise(ins[0], ins[-1])
    return ins, [dtype if dtype is None or dtype.startswith("float") else "float32"] * count


def _boolean(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = next((dtype for dtype in ins if dtype is not None), None)
    return [dtype or known for dtype in ins], ["bool"] * count


def _matched(to: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    dtype = precise(x.dtype, y.dtype) or x.dtype
    dtype = "int32" if dtype == "bool" else dtype
    return to.cast(x, dtype), to.cast(y, dtype)


def _of_two(binary: Binary) -> Callable[[Builder, Attributes, Tensor, Tensor], Value]:
    def translate(to: Builder, _at: Attributes, x: Tensor, y: Tensor) -> Value:
        dtype = to.outputs[0].dtype
        return binary(to, to.cast(x, dtype), to.cast(y, dtype))

    return translate


def _with_scalar(binary: Binary, swapped: bool) -> Callable[[Builder, Attributes, Tensor], Value]:
    def translate(to: Builder, at: Attributes, x: Tensor) -> Value:
        dtype = to.outputs[0].dtype
        data, scalar = to.cast(x, dtype), to.constant(scalar_of(at, dtype), dtype)
        return binary(to, scalar, data) if swapped else binary(to, data, scalar)

    return translate


_ARITHMETIC = {"add": "add", "subtract": "subtract", "multiply": "multiply", "mod": "modulo", "power": "power"}
for _name, _kind in _ARITHMETIC.items():
    operator(f"_npi_{_name}", inputs=("lhs", "rhs"), shapes=broadcast, dtypes=_mixed)(_of_two(BINARY[_kind]))
    operator(f"_npi_{_name}_scalar", dtypes=scalar_dtype)(_with_scalar(BINARY[_kind], swapped=False))
    if _name not in ("add", "multiply"):
        operator(f"_npi_r{_name}_scalar", dtypes=scalar_dtype)(_with_scalar(BINARY[_kind], swapped=True))

operator("_npi_true_divide", inputs=("lhs", "rhs"), shapes=broadcast, dtypes=_divided)(_of_two(BINARY["divide"]))
for _name, _swapped in (("_npi_true_divide_scalar", False), ("_npi_rtrue_divide_scalar", True)):
    operator(_name, dtypes=_divided)(_with_scalar(BINARY["divide"], swapped=_swapped))
operator("_npi_hypot", inputs=("x1", "x2"), shapes=broadcast)(_of_two(BINARY["hypot"]))


def _compared(onnx: str, opposite: bool) -> Binary:
    def apply(to: Builder, x: Value, y: Value) -> Value:
        result = to.node(onnx, 1, *_matched(to, x, y))[0]
        return to.Not(result) if opposite else result

    return apply


_COMPARISONS: dict[str, Binary] = {
    "equal": _compared("Equal", opposite=False),
    "not_equal": _compared("Equal", opposite=True),
    "greater": _compared("Greater", opposite=False),
    "greater_equal": _compared("GreaterOrEqual", opposite=False),
    "less": _compared("Less", opposite=False),
    "less_equal": _compared("LessOrEqual", opposite=False),
}


def _compare(binary: Binary) -> Callable[[Builder, Attributes, Tensor, Tensor], Value]:
    return lambda to, _at, x, y: binary(to, x, y)


def _compare_scalar(binary: Binary) -> Callable[[Builder, Attributes, Tensor], Value]:
    def translate(to: Builder, at: Attributes, x: Tensor) -> Value:
        number = at.number("scalar", 1.0)
        if x.dtype == "bool":  # the number becomes a truth value
            return binary(to, to.cast(x, "int32"), to.constant(number != 0, "int32"))
        if x.dtype.startswith("float"):
            return binary(to, x, to.constant(number, x.dtype))
        if at.flag("is_int", default=True):  # it becomes one of the array's dtype
            return binary(to, x, to.constant(scalar_of(at, x.dtype), x.dtype))
        dtype = "int64" if number.is_integer() else "float64"
        return binary(to, to.cast(x, dtype), to.constant(number, dtype))

    return translate


for _name, _binary in _COMPARISONS.items():
    operator(f"_npi_{_name}", inputs=("lhs", "rhs"), shapes=broadcast, dtypes=_boolean)(_compare(_binary))
    operator(f"_npi_{_name}_scalar", dtypes=_boolean)(_compare_scalar(_binary))


# -- choosing -------------------------------------------------------------------------------------------------------


def _widened(shapes: Shapes) -> MaybeShape:
    """Broadcast shapes; None where one is not known."""
    if any(shape is None for shape in shapes):
        return None
    try:
        return tuple(np.broadcast_shapes(*(shape or () for shape in shapes)))
    except ValueError:
        raise ValueError(f"shapes {', '.join(map(str, shapes))} cannot be broadcast to one") from None


def _where_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    if not at.exact and any(shape is not None and 0 in shape for shape in ins):
        return ins, outs
    return ins, [unify(outs[0], _widened(ins), "output")]


def _where_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    known = next((dtype for dtype in ins[1:] if dtype is not None), None)
    return [ins[0], *(dtype or known for dtype in ins[1:])], [known or "float32"] * count


@operator("_npi_where", inputs=("condition", "x", "y"), shapes=_where_shapes, dtypes=_where_dtypes)
def _where(to: Builder, _at: Attributes, condition: Tensor, x: Tensor, y: Tensor) -> Value:
    return to.Where(true(to, condition), x, y)


@operator("_npi_where_lscalar", inputs=("condition", "x"), shapes=_where_shapes, dtypes=_where_dtypes)
def _where_left(to: Builder, at: Attributes, condition: Tensor, x: Tensor) -> Value:
    return to.Where(true(to, condition), to.constant(at.number("scalar", 0.0), x.dtype), x)


@operator("_npi_where_rscalar", inputs=("condition", "y"), shapes=_where_shapes, dtypes=_where_dtypes)
def _where_right(to: Builder, at: Attributes, condition: Tensor, y: Tensor) -> Value:
    return to.Where(true(to, condition), y, to.constant(at.number("scalar", 0.0), y.dtype))


@operator("_npi_where_scalar2", inputs=("condition",), shapes=same, dtypes=of_dtype("float32"))
def _where_numbers(to: Builder, at: Attributes, condition: Tensor) -> Value:
    x, y = (to.constant(at.number(name, 0.0), "float32") for name in "xy")
    return to.Where(true(to, condition), x, y)


@operator("_npi_nan_to_num", inputs=("data",))
def _nan_to_num(to: Builder, at: Attributes, x: Tensor) -> Value:
    if not x.dtype.startswith("float"):
        return x
    info = np.finfo(x.dtype)
    ends = {"posinf": float(info.max), "neginf": float(info.min)}
    high, low = (at.number(name) if at.has(name) else end for name, end in ends.items())
    value = to.Where(to.Equal(x, x), x, to.constant(at.number("nan", 0.0), x.dtype))
    value = to.Where(to.Equal(value, math.inf), to.constant(high, x.dtype), value)
    return to.Where(to.Equal(value, -math.inf), to.constant(low, x.dtype), value)
