"""Operators that move numbers, or read them from tables."""

from __future__ import annotations

import math

from neuron_adapters.adapter.guards._values import MOST_INT, Value, union
from neuron_adapters.adapter.guards.rules._registry import Op, exactly, rule
from neuron_rt import CompileError


@rule(
    "BatchToSpace", "Broadcast", "DepthToSpace", "Identity", "Reshape", "Reverse", "Roll", "ShuffleChannels", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze", "VariadicSplit",
    masks=True,
)  # fmt: skip
def _moved(op: Op) -> Value:
    if any(op.constant(index) is None for index in range(1, len(op.ins))):
        raise CompileError(f"{op.type} moves numbers to where an input says")
    return op.ins[0]


@rule("Concat", masks=True)
def _joined(op: Op) -> Value:
    return union(*op.ins)


@rule("Pad", masks=True)
def _padded(op: Op) -> Value:
    return union(op.ins[0], op.ins[3]) if len(op.ins) > 3 else union(op.ins[0], Value(0, 0, exact=True))


@rule("Select")
def _select(op: Op) -> Value:
    return _decided(op, union(op.ins[1], op.ins[2]), 0)


def _decided(op: Op, value: Value, index: int) -> Value:
    """Inexact where the decision is."""
    return value if op.ins[index].exact else value.inexact()


@rule("Gather", masks=True)
def _gather(op: Op) -> Value:
    axis = int(op.constant(2).item())
    return _from_table(op, op.shape(0)[axis])


@rule("GatherElements", masks=True)
def _gather_elements(op: Op) -> Value:
    count = op.shape(0)[op.attribute("axis")]
    if op.constant(1) is None:
        op.keep_inside(1, count)
    return _from_table(op, count)


def _from_table(op: Op, count: int) -> Value:
    """Negative indexes are the framework's: some of its operators count them from the end, some refuse them. Those that
    are constant it has accepted when the graph was made."""
    if op.constant(1) is None:
        op.parts(1, count)
    op.bound(1, 0 if op.constant(1) is None else -count, count - 1)
    return op.ins[0]


@rule("GatherND", "ScatterElementsUpdate", "ScatterNDUpdate", "ScatterUpdate")
def _fixed_indexes(op: Op) -> Value:
    if op.constant(1) is None:
        raise CompileError(f"{op.type} takes indexes that are not constant")
    if op.attribute("reduction", "none") != "none":
        raise CompileError(f"{op.type} adds up in an order of its own")
    return op.ins[0] if op.type == "GatherND" else union(op.ins[0], op.ins[2])


@rule("OneHot")
def _one_hot(op: Op) -> Value:
    op.bound(0, 0, int(op.constant(1).item()) - 1)
    return union(op.ins[2], op.ins[3])


@rule("Convert", "ConvertLike")
def _convert(op: Op) -> Value:
    value, target = op.ins[0], op.out_type()
    if target == "boolean":
        exactly(op, 0)
        return Value(0, 1, exact=True)
    if target.startswith(("f", "bf")):
        # The engine may leave the rounding out.
        return value.inexact() if target in {"f16", "bf16"} and (op.is_float() or value.size > 256) else value
    if op.is_float():
        exactly(op, 0)
    lo, hi = (0, 255) if target == "u8" else (-MOST_INT, MOST_INT)
    value = op.bound(0, lo, hi)
    return Value(math.trunc(value.lo), math.trunc(value.hi), value.exact)
