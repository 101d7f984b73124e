"""Sums, products, quotients and powers of numbers."""

from __future__ import annotations

import math
from dataclasses import replace

from neuron_adapters.adapter.guards._values import MOST_INT, Value, symmetric
from neuron_adapters.adapter.guards.rules._registry import Op, floats, is_accurate, rule, steadily


@rule("Add")
def _add(op: Op) -> Value:
    left, right = _integers(op, MOST_INT // 4)
    masked = left.masked or right.masked
    return Value(left.lo + right.lo, left.hi + right.hi, _whole(op), masked, accurate=is_accurate(op, summed=True))


@rule("Subtract")
def _subtract(op: Op) -> Value:
    left, right = _integers(op, MOST_INT // 4)
    accurate = left.exact and right.exact
    return Value(left.lo - right.hi, left.hi - right.lo, _whole(op), accurate=accurate)


@rule("Multiply")
def _multiply(op: Op) -> Value:
    left, right = _integers(op, 1 << 11)
    products = [a * b for a in (left.lo, left.hi) for b in (right.lo, right.hi)]
    return Value(min(products), max(products), _whole(op), accurate=is_accurate(op))


@rule("CumSum")
def _cumulative(op: Op) -> Value:
    count = op.shape()[int(op.constant(1).item())]
    return _total(op, count)


@rule("ReduceSum", "ReduceL1")
def _sum(op: Op) -> Value:
    value = _total(op, math.prod(op.shape()) // max(1, math.prod(op.out_shape())))
    return Value(0, value.size, value.exact, accurate=value.steady) if op.type == "ReduceL1" else value


def _total(op: Op, count: int) -> Value:
    value = op.ins[0]
    if not op.is_float():
        value = op.bound(0, -MOST_INT // max(1, count), MOST_INT // max(1, count))
    count = max(1, count)
    lo, hi = min(value.lo * count, value.lo), max(value.hi * count, value.hi)
    return Value(lo, hi, _whole(op), accurate=value.steady and value.lo >= 0)


def _integers(op: Op, most: int) -> list[Value]:
    """The inputs; integers guarded to be at most ``most`` where what comes out might need more than 24 bits."""
    if op.is_float() or (op.out_type() != "i64" and op.out_type() != "i32"):
        return op.ins[:2]
    if _stays_small(op):
        return op.ins[:2]
    return [
        value if op.constant(index) is not None and value.size <= most else op.bound(index, -most, most)
        for index, value in enumerate(op.ins[:2])
    ]


def _stays_small(op: Op) -> bool:
    left, right = op.ins[:2]
    return (left.size * right.size if op.type == "Multiply" else left.size + right.size) <= MOST_INT


def _whole(op: Op) -> bool:
    """Whether the sum or product is exact, since it is one of exact integers that are small enough."""
    return not op.is_float() and all(value.exact for value in op.ins)


@rule("Divide")
def _divide(op: Op) -> Value:
    floats(op)
    left, right = op.ins
    least = min(abs(right.lo), abs(right.hi))
    accurate = is_accurate(op)
    if right.lo <= 0 <= right.hi or least < 1e-37:
        if not accurate:  # a small error of the dividend becomes a large one, too: elu(x) / x is 1 near zero
            op.apart(1)
        return Value(-math.inf, math.inf, undefined=True, accurate=accurate)
    if left.lo < 0 or right.lo < 0:
        return replace(symmetric(left.size / least), accurate=accurate)
    return Value(0, left.hi / least, accurate=accurate)


@rule("Power")
def _power(op: Op) -> Value:
    floats(op)
    base, exponent = op.ins[0], op.constant(1)
    if exponent is None or exponent.size != 1:
        steadily(op, 0)
        op.bound(1, -64, 64)  # errors grow with it
        return Value(-math.inf, math.inf, undefined=True, accurate=base.steady)
    power = float(exponent.reshape(-1)[0])
    if not math.isfinite(power):
        steadily(op, 0)
        return Value(-math.inf, math.inf, undefined=True)
    if power < 0 or (power != int(power) and base.lo < 0) or power > 64:
        if power < 0 and base.lo > 1e-30 and power >= -64:
            return Value(0, base.lo**power, accurate=base.steady)
        if power <= 64:
            steadily(op, 0)
        return Value(-math.inf, math.inf, undefined=True, accurate=base.steady)
    try:
        largest = base.size**power
    except OverflowError:
        largest = math.inf
    if power % 2 == 1 and base.lo < 0:
        return replace(symmetric(largest), accurate=base.steady)
    return Value(0, largest, accurate=base.steady)


@rule("SquaredDifference")
def _squared_difference(op: Op) -> Value:
    floats(op)
    left, right = op.ins
    return Value(0, max(left.hi - right.lo, right.hi - left.lo) ** 2)
