"""Means, norms and resizing."""

from __future__ import annotations

import math
from dataclasses import replace

from neuron_adapters.adapter.guards._values import MOST_INT, Value, symmetric, union
from neuron_adapters.adapter.guards.rules._registry import Op, floats, rule
from neuron_rt import CompileError


@rule("AvgPool", "AdaptiveAvgPool", "ReduceMean")
def _mean(op: Op) -> Value:
    floats(op)
    value = union(op.ins[0], Value(0, 0)).inexact()
    accurate = op.type == "ReduceMean" and op.ins[0].steady and op.ins[0].lo >= 0
    return replace(value, accurate=accurate)


@rule("MVN", "GroupNormalization")
def _normalized(op: Op) -> Value:
    floats(op)
    count = math.prod(op.shape())
    eps = op.attribute("eps", op.attribute("epsilon", 0.0))
    if not eps > 0:
        raise CompileError(f"{op.type} divides by a computed number that may be zero")
    if not op.ins[0].size ** 2 * count < 1e38:
        return Value(-math.inf, math.inf, undefined=True)
    size = math.sqrt(count) + 1
    # Of equal numbers only rounding errors are left, which eps makes large.
    shape, axes = _normalized_together(op)
    if op.ins[0].exact:
        op.varied(0, shape, axes)
    elif len(axes) > 1 or op.type == "GroupNormalization":
        op.varied_inputs()
    if op.type == "GroupNormalization":
        size = size * op.ins[1].size + op.ins[2].size
    return symmetric(size)


def _normalized_together(op: Op) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The input's shape, and the axes of the numbers that have one mean."""
    shape = op.shape()
    if op.type == "GroupNormalization":
        groups = int(op.attribute("num_groups"))
        return (shape[0], groups, math.prod(shape[1:]) // groups), (2,)
    axes = op.constant(1)
    return shape, tuple(range(1, len(shape))) if axes is None else tuple(int(axis) for axis in axes.reshape(-1))


@rule("BatchNormInference")
def _batch_normalized(op: Op) -> Value:
    data, gamma, beta, mean, variance = op.ins
    if not variance.lo + op.attribute("epsilon") > 0:
        return Value(-math.inf, math.inf, undefined=True)
    scale = gamma.size / math.sqrt(variance.lo + op.attribute("epsilon"))
    return symmetric((data.size + mean.size) * scale + beta.size)


@rule("NormalizeL2")
def _normalized_l2(op: Op) -> Value:
    floats(op)
    if not op.attribute("eps") > 0:
        raise CompileError(f"{op.type} divides by a computed number that may be zero")
    if not op.ins[0].size ** 2 * math.prod(op.shape()) < 1e38:
        return Value(-math.inf, math.inf, undefined=True)
    return symmetric(2)


@rule("ReduceL2")
def _root_of_squares(op: Op) -> Value:
    floats(op)
    squares = op.ins[0].size ** 2 * math.prod(op.shape())
    return Value(0, math.sqrt(squares)) if squares < 1e38 else Value(-math.inf, math.inf, undefined=True)


@rule("LRN")
def _local_response(op: Op) -> Value:
    floats(op)
    if not op.attribute("bias") >= 1 or op.attribute("alpha") < 0 or op.attribute("beta") < 0:
        return Value(-math.inf, math.inf, undefined=True)
    return symmetric(op.ins[0].size if op.ins[0].size < 1e16 else math.inf)


@rule("Interpolate")
def _resized(op: Op) -> Value:
    floats(op)
    value = op.ins[0]
    mode = op.attribute("mode")
    if mode == "nearest":
        return value
    return symmetric(value.size * (4 if "cubic" in mode else 1))


@rule("ShapeOf", "Range")
def _of_shape(op: Op) -> Value:
    if op.type == "Range" and not all(op.constant(index) is not None for index in range(3)):
        raise CompileError("Range takes numbers that are not constant")
    return symmetric(max(value.size for value in op.ins) if op.type == "Range" else MOST_INT, exact=True)
