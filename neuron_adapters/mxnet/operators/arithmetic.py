"""Functions of two arrays, of an array and a number, and sums of many."""

from __future__ import annotations

import math
from collections.abc import Callable

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import Dtypes, operator
from neuron_adapters.mxnet.operators._rules import arguments, broadcast, one_dtype, same

Binary = Callable[[Builder, Value, Value], Value]


def _named(onnx: str) -> Binary:
    return lambda to, x, y: to.node(onnx, 1, x, y)[0]


def _compared(onnx: str) -> Binary:
    return lambda to, x, y: to.cast(to.node(onnx, 1, x, y)[0], x.dtype)


def _logical(onnx: str) -> Binary:
    return lambda to, x, y: to.cast(to.node(onnx, 1, true(to, x), true(to, y))[0], x.dtype)


def true(to: Builder, x: Value) -> Value:
    """Where ``x`` is not zero."""
    return x if x.dtype == "bool" else to.Not(to.Equal(x, 0.0))


def _mod(to: Builder, x: Value, y: Value) -> Value:
    """The remainder with the divisor's sign; 0 for a divisor of 0."""
    if not x.dtype.startswith("float"):
        return to.Mod(x, y)
    zero = to.Equal(y, 0.0)
    safe = to.Where(zero, to.constant(1.0, y.dtype), y)
    rest = to.Sub(x, to.Mul(to.Floor(to.Div(x, safe)), safe))
    return to.Where(zero, to.Mul(rest, 0.0), rest)


def _hypot(to: Builder, x: Value, y: Value) -> Value:
    return to.Sqrt(to.Add(to.Mul(x, x), to.Mul(y, y)))


BINARY: dict[str, Binary] = {
    "add": _named("Add"),
    "sub": _named("Sub"),
    "mul": _named("Mul"),
    "div": _named("Div"),
    "mod": _mod,
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

_BROADCAST_ALIASES = {
    "add": ["broadcast_plus", "_sparse_broadcast_add", "_sparse_broadcast_plus"],
    "sub": ["broadcast_minus", "_sparse_broadcast_sub", "_sparse_broadcast_minus"],
    "mul": ["_sparse_broadcast_mul"],
    "div": ["_sparse_broadcast_div"],
}
_SAME_NAMES = {
    "add": ["elemwise_add", "_add", "_plus", "_Plus", "_grad_add", "_sparse_elemwise_add"],
    "sub": ["elemwise_sub", "_sub", "_minus", "_Minus", "_sparse_elemwise_sub"],
    "mul": ["elemwise_mul", "_mul", "_Mul", "_sparse_elemwise_mul"],
    "div": ["elemwise_div", "_div", "_Div", "_sparse_elemwise_div", "_scatter_elemwise_div"],
    "mod": ["_mod", "_Mod"],
    "power": ["_power", "_Power"],
    "maximum": ["_maximum", "_Maximum"],
    "minimum": ["_minimum", "_Minimum"],
    "hypot": ["_hypot", "_Hypot"],
    "equal": ["_equal", "_Equal"],
    "not_equal": ["_not_equal", "_Not_Equal"],
    "greater": ["_greater", "_Greater"],
    "greater_equal": ["_greater_equal", "_Greater_Equal"],
    "lesser": ["_lesser", "_Lesser"],
    "lesser_equal": ["_lesser_equal", "_Lesser_Equal"],
    "logical_and": ["_logical_and", "_Logical_And"],
    "logical_or": ["_logical_or", "_Logical_Or"],
    "logical_xor": ["_logical_xor", "_Logical_Xor"],
}
_SCALAR_NAMES = {
    "add": ["_plus_scalar", "_PlusScalar", "_scatter_plus_scalar"],
    "sub": ["_minus_scalar", "_MinusScalar", "_scatter_minus_scalar"],
    "mul": ["_mul_scalar", "_MulScalar"],
    "div": ["_div_scalar", "_DivScalar"],
    "mod": ["_mod_scalar", "_ModScalar"],
    "power": ["_power_scalar", "_PowerScalar"],
    "maximum": ["_maximum_scalar", "_MaximumScalar"],
    "minimum": ["_minimum_scalar", "_MinimumScalar"],
    "hypot": ["_hypot_scalar", "_HypotScalar"],
    "equal": ["_equal_scalar", "_EqualScalar"],
    "not_equal": ["_not_equal_scalar", "_NotEqualScalar"],
    "greater": ["_greater_scalar", "_GreaterScalar"],
    "greater_equal": ["_greater_equal_scalar", "_GreaterEqualScalar"],
    "lesser": ["_lesser_scalar", "_LesserScalar"],
    "lesser_equal": ["_lesser_equal_scalar", "_LesserEqualScalar"],
    "logical_and": ["_logical_and_scalar", "_LogicalAndScalar"],
    "logical_or": ["_logical_or_scalar", "_LogicalOrScalar"],
    "logical_xor": ["_logical_xor_scalar", "_LogicalXorScalar"],
}
_REVERSED_NAMES = {
    "sub": ["_rminus_scalar", "_RMinusScalar"],
    "div": ["_rdiv_scalar", "_RDivScalar"],
    "mod": ["_rmod_scalar", "_RModScalar"],
    "power": ["_rpower_scalar", "_RPowerScalar"],
}


def _scalar_dtype(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """A number with a fraction turns whole numbers into float64; comparisons stay as they are."""
    dtype = ins[0]
    if dtype is not None and not dtype.startswith("float") and not at.flag("is_int", default=True):
        dtype = "float64"
    return ins, [dtype] * count


def _with_scalar(binary: Binary, swapped: bool) -> Callable[[Builder, Attributes, Tensor], Value]:
    def translate(to: Builder, at: Attributes, x: Tensor) -> Value:
        number = at.number("scalar", 1.0)
        data = to.cast(x, to.outputs[0].dtype)
        if not data.dtype.startswith("float"):
            if not math.isfinite(number):
                raise ValueError(f"attribute scalar must be finite for {data.dtype}, got {number}")
            number = int(number)
        scalar = to.constant(number, data.dtype)
        return binary(to, scalar, data) if swapped else binary(to, data, scalar)

    return translate


for _name, _binary in BINARY.items():
    _two = ("lhs", "rhs")

    def _apply(to: Builder, _at: Attributes, x: Tensor, y: Tensor, binary: Binary = _binary) -> Value:
        return binary(to, x, y)

    operator(f"broadcast_{_name}", *_BROADCAST_ALIASES.get(_name, []), inputs=_two, shapes=broadcast, dtypes=one_dtype)(
        _apply
    )
    operator(*_SAME_NAMES[_name], inputs=_two, shapes=same, dtypes=one_dtype)(_apply)
    operator(*_SCALAR_NAMES[_name], shapes=same, dtypes=_scalar_dtype)(_with_scalar(_binary, swapped=False))
    if _name in _REVERSED_NAMES:
        operator(*_REVERSED_NAMES[_name], shapes=same, dtypes=_scalar_dtype)(_with_scalar(_binary, swapped=True))


@operator("add_n", "ElementWiseSum", "_sparse_add_n", "_sparse_ElementWiseSum", inputs=arguments, shapes=same,
          dtypes=one_dtype, variadic="num_args")  # fmt: skip
def _add_n(to: Builder, _at: Attributes, first: Tensor, *others: Tensor) -> Value:
    total: Value = first
    for other in others:
        total = to.Add(total, other)
    return total
