"""Functions of two arrays, of an array and a number, and sums of many."""

from __future__ import annotations

import math
from collections.abc import Callable

from neuron_adapters.mxnet._operators import ORDERED, broadcast_name, elementwise_name, scalar_name
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, arguments, broadcast

Binary = Callable[[Builder, Value, Value], Value]


def _named(onnx: str) -> Binary:
    return lambda to, x, y: to.node(onnx, 1, x, y)[0]


def _compared(onnx: str) -> Binary:
    return lambda to, x, y: to.cast(to.node(onnx, 1, x, y)[0], x.dtype)


def _logical(onnx: str) -> Binary:
    return lambda to, x, y: to.cast(to.node(onnx, 1, true(to, x), true(to, y))[0], x.dtype)


def true(to: Builder, x: Value) -> Value:
    """Return whether ``x`` is not zero."""
    return x if x.dtype == "bool" else to.Not(to.Equal(x, 0.0))


def _mod(to: Builder, x: Value, y: Value) -> Value:
    """Compute the remainder with the divisor's sign; 0 for a divisor of 0."""
    if not x.dtype.startswith("float"):
        return to.Mod(x, y)
    zero = to.Equal(y, 0.0)
    safe = to.Where(zero, to.constant(1.0, y.dtype), y)
    rest = to.Sub(x, to.Mul(to.Floor(to.Div(x, safe)), safe))
    return to.Where(zero, to.Mul(rest, 0.0), rest)


def _hypot(to: Builder, x: Value, y: Value) -> Value:
    """Compute integers as floats, which a conversion cuts the fraction off."""
    wide = [value if value.dtype.startswith("float") else to.cast(value, "float32") for value in (x, y)]
    root = to.Sqrt(to.Add(*(to.Mul(value, value) for value in wide)))
    return root if x.dtype.startswith("float") else to.cast(to.Floor(root), x.dtype)


BINARY: dict[str, Binary] = {
    "add": _named("Add"),
    "subtract": _named("Sub"),
    "multiply": _named("Mul"),
    "divide": _named("Div"),
    "modulo": _mod,
    "power": _named("Pow"),
    "maximum": _named("Max"),
    "minimum": _named("Min"),
    "hypot": _hypot,
    "equal": _compared("Equal"),
    "not_equal": lambda to, x, y: to.cast(to.Not(to.Equal(x, y)), x.dtype),
    "greater": _compared("Greater"),
    "greater_equal": _compared("GreaterOrEqual"),
    "lesser": _compared("Less"),
    "lesser_equal": _compared("LessOrEqual"),
    "logical_and": _logical("And"),
    "logical_or": _logical("Or"),
    "logical_xor": _logical("Xor"),
}

#: Operators that do the same at inference.
_LIKE = {
    "elemwise_add": ("_grad_add",), "elemwise_div": ("_scatter_elemwise_div",),
    "_plus_scalar": ("_scatter_plus_scalar",), "_minus_scalar": ("_scatter_minus_scalar",),
}  # fmt: skip


def scalar_dtype(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """A number with a fraction turns whole numbers into float64, any other turns booleans into int64."""
    dtype = ins[0]
    if dtype is not None and not dtype.startswith("float"):
        if not at.flag("is_int", default=True):
            dtype = "float64"
        elif dtype == "bool":
            dtype = "int64"
    return ins, [dtype] * count


def scalar_of(at: Attributes, dtype: str) -> float:
    """Read the attribute ``scalar``. A number beyond an integer type becomes what the processor's conversion of a
    double gives. Raises ValueError for one that is not finite."""
    number = at.number("scalar", 1.0)
    if not dtype.startswith("float") and not math.isfinite(number):
        raise ValueError(f"attribute scalar must be finite for {dtype}, got {number}")
    return number


def _with_scalar(binary: Binary, swapped: bool) -> Callable[[Builder, Attributes, Tensor], Value]:
    def translate(to: Builder, at: Attributes, x: Tensor) -> Value:
        data = to.cast(x, to.outputs[0].dtype)
        scalar = to.constant(scalar_of(at, data.dtype), data.dtype)
        return binary(to, scalar, data) if swapped else binary(to, data, scalar)

    return translate


def _of_two(binary: Binary) -> Callable[[Builder, Attributes, Tensor, Tensor], Value]:
    return lambda to, _at, x, y: binary(to, x, y)


for _kind, _binary in BINARY.items():
    _elementwise, _scalar = elementwise_name(_kind), scalar_name(_kind)
    operator(broadcast_name(_kind), inputs=("lhs", "rhs"), shapes=broadcast)(_of_two(_binary))
    operator(_elementwise, *_LIKE.get(_elementwise, ()), inputs=("lhs", "rhs"))(_of_two(_binary))
    operator(_scalar, *_LIKE.get(_scalar, ()), dtypes=scalar_dtype)(_with_scalar(_binary, swapped=False))
    if _kind in ORDERED:
        operator(scalar_name(_kind, swapped=True), dtypes=scalar_dtype)(_with_scalar(_binary, swapped=True))


@operator("add_n", inputs=arguments, variadic="num_args")
def _add_n(to: Builder, _at: Attributes, first: Tensor, *others: Tensor) -> Value:
    total: Value = first
    for other in others:
        total = to.Add(total, other)
    return total
