"""Functions of each number on its own, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

from neuron_adapters.adapter.guards._values import Value, symmetric
from neuron_adapters.adapter.guards.rules._registry import Op, floats, rule, steadily
from neuron_rt import CompileError

_FUNCTIONS: dict[str, tuple[tuple[float, float], Callable[[Value], Value]]] = {
    # The domain, and what comes out of it. Beyond it the results are looked at.
    "Acos": ((-1, 1), lambda _x: Value(0, 4)),
    "Acosh": ((1, math.inf), lambda x: Value(0, x.size + 1)),
    "Asin": ((-1, 1), lambda _x: symmetric(2)),
    "Asinh": ((-math.inf, math.inf), lambda x: symmetric(x.size)),
    "Atan": ((-math.inf, math.inf), lambda _x: symmetric(2)),
    "Atanh": ((-0.999, 0.999), lambda _x: symmetric(8)),
    "Cos": ((-1e4, 1e4), lambda _x: symmetric(1)),
    "Cosh": ((-80, 80), lambda _x: Value(1, 1e35)),
    "Elu": ((-math.inf, math.inf), lambda x: Value(min(x.lo, 0), max(x.hi, 0))),
    "Erf": ((-math.inf, math.inf), lambda _x: symmetric(1)),
    "Exp": ((-math.inf, 80), lambda x: Value(0, math.exp(min(x.hi, 80)))),
    "Gelu": ((-math.inf, math.inf), lambda x: Value(-1, max(x.hi, 0))),
    "HSigmoid": ((-math.inf, math.inf), lambda _x: Value(0, 1)),
    "HSwish": ((-math.inf, math.inf), lambda x: Value(-1, max(x.hi, 0))),
    "Log": ((1e-37, math.inf), lambda _x: symmetric(100)),
    "LogSoftmax": ((-math.inf, math.inf), lambda x: Value(x.lo - x.hi - 64, 0)),
    "Mish": ((-math.inf, math.inf), lambda x: Value(-1, max(x.hi, 0))),
    "Sigmoid": ((-math.inf, math.inf), lambda _x: Value(0, 1)),
    "Sin": ((-1e4, 1e4), lambda _x: symmetric(1)),
    "Sinh": ((-80, 80), lambda _x: symmetric(1e35)),
    "SoftPlus": ((-math.inf, math.inf), lambda x: Value(0, max(x.hi, 0) + 1)),
    "SoftSign": ((-math.inf, math.inf), lambda _x: symmetric(1)),
    "Sqrt": ((0, math.inf), lambda x: Value(math.sqrt(max(x.lo, 0)), math.sqrt(max(x.hi, 0)))),
    "Swish": ((-math.inf, math.inf), lambda x: symmetric(x.size)),
    "Tanh": ((-math.inf, math.inf), lambda _x: symmetric(1)),
}
_PERIODIC = {"Cos", "Sin"}
_SINGULAR = {"Log", "Sqrt"}
#: Functions that end at 1 or -1, and how near to it the last bits of a number may matter.
_ENDING = {"Acos", "Acosh", "Asin"}
_NEAR_END = 2.0**-12
#: Functions whose results are right but for the last bits, whatever they take.
_ACCURATE = {"Exp", "Sigmoid"}


@rule(*_FUNCTIONS)
def _function(op: Op) -> Value:
    floats(op)
    (lo, hi), image = _FUNCTIONS[op.type]
    value = op.ins[0]
    if op.type in _PERIODIC:
        value = op.bound(0, lo, hi)
    if op.type in _ENDING and not value.exact and not (lo <= value.lo and value.hi <= hi):
        value = op.bound(0, lo + _NEAR_END, hi - _NEAR_END)
    if not lo <= value.lo or not value.hi <= hi:
        if op.type in _SINGULAR:
            steadily(op, 0)
        return Value(-math.inf, math.inf, undefined=True, accurate=op.type == "Exp")
    if op.type == "Swish" and len(op.ins) > 1 and op.ins[1].lo < 0:
        raise CompileError("Swish with a negative factor grows without a limit")
    factor = max(1.0, abs(op.attribute("alpha", 1.0))) if op.type == "Elu" else 1.0
    result = image(value)
    accurate = op.type in _ACCURATE or (op.type == "Sqrt" and value.steady)
    return Value(result.lo * factor, result.hi * factor, accurate=accurate)


@rule("Selu", "PRelu")
def _slope(op: Op) -> Value:
    floats(op)
    factor = 1.0
    for value in op.ins[1:]:
        factor *= max(1.0, value.size)
    return symmetric(op.ins[0].size * factor)


@rule("Softmax")
def _softmax(op: Op) -> Value:
    floats(op)
    if op.ins[0].masked:
        op.some_in_each_row(0, op.attribute("axis"))
    return Value(0, 1, accurate=not op.ins[0].masked)
