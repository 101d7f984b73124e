"""Operators that choose among numbers, or decide by them."""

from __future__ import annotations

import math
from dataclasses import replace

from neuron_adapters.adapter.guards._values import MOST_INT, Value, symmetric
from neuron_adapters.adapter.guards.rules._registry import Op, exactly, rule
from neuron_rt import CompileError


@rule("Relu")
def _relu(op: Op) -> Value:
    return _between(op.ins[0], 0, math.inf)


@rule("Clamp")
def _clamp(op: Op) -> Value:
    return _between(op.ins[0], op.attribute("min"), op.attribute("max"))


def _between(value: Value, least: float, most: float) -> Value:
    return Value(min(max(value.lo, least), most), min(max(value.hi, least), most), value.exact)


@rule("Maximum")
def _maximum(op: Op) -> Value:
    left, right = op.ins
    both = left.masked and right.masked
    return Value(max(left.lo, right.lo), max(left.hi, right.hi), left.exact and right.exact, both)


@rule("Minimum")
def _minimum(op: Op) -> Value:
    left, right = op.ins
    either = left.masked or right.masked
    return Value(min(left.lo, right.lo), min(left.hi, right.hi), left.exact and right.exact, either)


@rule("Abs")
def _abs(op: Op) -> Value:
    return replace(op.ins[0], lo=0, hi=op.ins[0].size)


@rule("Negative")
def _negative(op: Op) -> Value:
    return replace(op.ins[0], lo=-op.ins[0].hi, hi=-op.ins[0].lo)


@rule("MaxPool", "ReduceMax", "ReduceMin", "AdaptiveMaxPool")
def _largest(op: Op) -> list[Value]:
    if op.type.endswith("Pool") and op.used(1):
        raise CompileError(f"the places of the largest numbers of {op.type} may differ")
    return [op.ins[0], Value(0, MOST_INT)]


@rule("TopK")
def _top(op: Op) -> list[Value]:
    count = op.shape()[op.attribute("axis")]
    if op.used(1):
        exactly(op, 0)
        # Only a stable one is sure to give the first of equal numbers, on an axis of any length.
        if op.attribute("mode") != "max" or op.constant(1).item() != 1 or not op.attribute("stable"):
            raise CompileError("TopK orders equal numbers in its own way")
    return [op.ins[0], Value(0, count - 1, exact=True)]


@rule("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
def _compared(op: Op) -> Value:
    exactly(op)
    return Value(0, 1, exact=True)


@rule("LogicalAnd", "LogicalOr", "LogicalXor", "LogicalNot", "ReduceLogicalAnd", "ReduceLogicalOr")
def _logical(_op: Op) -> Value:
    return Value(0, 1, exact=True)


@rule("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
def _bitwise(op: Op) -> Value:
    if op.out_type() != "boolean":
        raise CompileError(f"{op.type} of integers is not the framework's in all cases")
    return Value(0, 1, exact=True)


@rule("Floor", "Ceiling", "Round", "Sign")
def _rounded(op: Op) -> Value:
    exactly(op)
    value = op.ins[0]
    return symmetric(1, exact=True) if op.type == "Sign" else Value(value.lo - 1, value.hi + 1, exact=True)
