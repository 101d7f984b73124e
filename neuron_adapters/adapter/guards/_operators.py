"""The engine's operators that answer as a framework's, and on which values they do.

A rule says which values come out of an operator, from those that go in. It asks for a guard where the operator agrees
with the framework on some values alone, such as indexes in their table, and refuses the operator where no guard can
help. An operator without a rule is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from neuron_adapters.adapter.guards._values import MOST_INT, Value, symmetric, union
from neuron_rt import CompileError


class Op(Protocol):
    """An operator of the graph under examination, as its rule sees it."""

    type: str
    ins: list[Value]

    def is_float(self, index: int = 0) -> bool:
        """Whether input ``index`` has floating-point numbers."""

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of input ``index``."""

    def out_shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of output ``index``."""

    def out_type(self) -> str:
        """The element type of output 0."""

    def used(self, index: int) -> bool:
        """Whether anything reads output ``index``."""

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the operator."""

    def constant(self, index: int) -> Any:
        """The array of input ``index``; None where that is not a constant."""

    def bound(self, index: int, lo: float, hi: float) -> Value:
        """The values of input ``index``, with a guard that all are in [``lo``, ``hi``] where that is not known."""

    def keep_inside(self, index: int, count: int) -> None:
        """Let the operator itself see no index of input ``index`` outside of ``count`` rows: it would fail."""

    def parts(self, index: int, count: int) -> None:
        """Guard the parts of input ``index``, which indexes ``count`` rows, where it is a sum of them."""

    def apart(self, index: int) -> None:
        """Ask for a guard that no number of input ``index`` is near zero, for the size of the graph's inputs."""

    def normal(self, index: int) -> None:
        """Ask for a guard that no number of input ``index``, if those are floats, is denormal."""

    def varied(self, index: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        """Ask for a guard that the numbers of input ``index``, in ``shape``, are not nearly equal along ``axes``."""

    def varied_inputs(self) -> None:
        """Ask for a guard that no channel of a picture or a sound among the graph's inputs is uniform: then all places
        of what convolutions make of it are equal."""

    def some_in_each_row(self, index: int, axis: int) -> None:
        """Ask for a guard that input ``index`` is not minus infinity, or false, all along ``axis``."""


Rule = Callable[[Op], "Value | list[Value]"]
RULES: dict[str, Rule] = {}
#: Operators that take minus infinity as the frameworks do.
TAKE_MASKS = {"Add", "Convert", "Maximum", "Minimum", "Result", "ScaledDotProductAttention", "Select", "Softmax"}


def _rule(*types: str, masks: bool = False) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(types, function))
        if masks:
            TAKE_MASKS.update(types)
        return function

    return add


def _exactly(op: Op, *indexes: int) -> None:
    """Refuse an operator that decides by numbers which the engine computed: the last bit may turn the decision. Whether
    a denormal number is zero depends on the thread in some frameworks."""
    for index in indexes or range(len(op.ins)):
        if not op.ins[index].exact:
            raise CompileError(f"{op.type} decides by computed numbers, of which the last bit may differ")
        op.normal(index)


def _steadily(op: Op, index: int) -> None:
    """Guard a function that is NaN or infinite at zero. Where a difference has left rounding errors alone, as in the
    variance of equal numbers, the framework may have computed zero and the engine not."""
    if not op.ins[index].steady:
        op.apart(index)


def _accurate(op: Op, *, summed: bool = False) -> bool:
    """Whether products, or sums, of the inputs have no more than last bits wrong: each alone, and sums of numbers that
    are exact, or of one sign."""
    if not all(value.steady for value in op.ins[:2]):
        return False
    return not summed or all(value.exact for value in op.ins[:2]) or all(value.lo >= 0 for value in op.ins[:2])


def _floats(op: Op) -> None:
    if not op.is_float():
        raise CompileError(f"{op.type} of integers is not the framework's in all cases")


# -- operators that move numbers ------------------------------------------------------------------------------------


@_rule(
    "BatchToSpace", "Broadcast", "DepthToSpace", "Reshape", "Reverse", "Roll", "ShuffleChannels", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze", "VariadicSplit",
    masks=True,
)  # fmt: skip
def _moved(op: Op) -> Value:
    return op.ins[0]


@_rule("Concat", masks=True)
def _joined(op: Op) -> Value:
    return union(*op.ins)


@_rule("Pad", masks=True)
def _padded(op: Op) -> Value:
    return union(op.ins[0], op.ins[3]) if len(op.ins) > 3 else union(op.ins[0], Value(0, 0, exact=True))


@_rule("Select")
def _select(op: Op) -> Value:
    return _decided(op, union(op.ins[1], op.ins[2]), 0)


def _decided(op: Op, value: Value, index: int) -> Value:
    """Inexact where the decision is."""
    return value if op.ins[index].exact else value.inexact()


@_rule("Gather", masks=True)
def _gather(op: Op) -> Value:
    axis = int(op.constant(2).item())
    return _from_table(op, op.shape(0)[axis])


@_rule("GatherElements", masks=True)
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


@_rule("GatherND", "ScatterElementsUpdate", "ScatterNDUpdate", "ScatterUpdate")
def _fixed_indexes(op: Op) -> Value:
    if op.constant(1) is None:
        raise CompileError(f"{op.type} takes indexes that are not constant")
    if op.attribute("reduction", "none") != "none":
        raise CompileError(f"{op.type} adds up in an order of its own")
    return op.ins[0] if op.type == "GatherND" else union(op.ins[0], op.ins[2])


@_rule("OneHot")
def _one_hot(op: Op) -> Value:
    op.bound(0, 0, int(op.constant(1).item()) - 1)
    return union(op.ins[2], op.ins[3])


@_rule("Convert", "ConvertLike")
def _convert(op: Op) -> Value:
    value, target = op.ins[0], op.out_type()
    if target == "boolean":
        _exactly(op, 0)
        return Value(0, 1, exact=True)
    if target.startswith(("f", "bf")):
        # The engine may leave the rounding out.
        return value.inexact() if target in {"f16", "bf16"} and (op.is_float() or value.size > 256) else value
    if op.is_float():
        _exactly(op, 0)
    lo, hi = (0, 255) if target == "u8" else (-MOST_INT, MOST_INT)
    value = op.bound(0, lo, hi)
    return Value(math.trunc(value.lo), math.trunc(value.hi), value.exact)


# -- operators that choose among numbers ----------------------------------------------------------------------------


@_rule("Relu")
def _relu(op: Op) -> Value:
    return _between(op.ins[0], 0, math.inf)


@_rule("Clamp")
def _clamp(op: Op) -> Value:
    return _between(op.ins[0], op.attribute("min"), op.attribute("max"))


def _between(value: Value, least: float, most: float) -> Value:
    return Value(min(max(value.lo, least), most), min(max(value.hi, least), most), value.exact)


@_rule("Maximum")
def _maximum(op: Op) -> Value:
    one, other = op.ins
    both = one.masked and other.masked
    return Value(max(one.lo, other.lo), max(one.hi, other.hi), one.exact and other.exact, both)


@_rule("Minimum")
def _minimum(op: Op) -> Value:
    one, other = op.ins
    either = one.masked or other.masked
    return Value(min(one.lo, other.lo), min(one.hi, other.hi), one.exact and other.exact, either)


@_rule("Abs")
def _abs(op: Op) -> Value:
    return replace(op.ins[0], lo=0, hi=op.ins[0].size)


@_rule("Negative")
def _negative(op: Op) -> Value:
    return replace(op.ins[0], lo=-op.ins[0].hi, hi=-op.ins[0].lo)


@_rule("MaxPool", "ReduceMax", "ReduceMin", "AdaptiveMaxPool")
def _largest(op: Op) -> list[Value]:
    if op.type.endswith("Pool") and op.used(1):
        raise CompileError(f"the places of the largest numbers of {op.type} may differ")
    return [op.ins[0], Value(0, MOST_INT)]


@_rule("TopK")
def _top(op: Op) -> list[Value]:
    count = op.shape()[op.attribute("axis")]
    if op.used(1):
        _exactly(op, 0)
        # Only a stable one is sure to give the first of equal numbers, on an axis of any length.
        if op.attribute("mode") != "max" or op.constant(1).item() != 1 or not op.attribute("stable"):
            raise CompileError("TopK orders equal numbers in its own way")
    return [op.ins[0], Value(0, count - 1, exact=True)]


@_rule("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
def _compared(op: Op) -> Value:
    _exactly(op)
    return Value(0, 1, exact=True)


@_rule("LogicalAnd", "LogicalOr", "LogicalXor", "LogicalNot", "ReduceLogicalAnd", "ReduceLogicalOr")
def _logical(_op: Op) -> Value:
    return Value(0, 1, exact=True)


@_rule("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
def _bitwise(op: Op) -> Value:
    if op.out_type() != "boolean":
        raise CompileError(f"{op.type} of integers is not the framework's in all cases")
    return Value(0, 1, exact=True)


@_rule("Floor", "Ceiling", "Round", "Sign")
def _rounded(op: Op) -> Value:
    _exactly(op)
    value = op.ins[0]
    return symmetric(1, exact=True) if op.type == "Sign" else Value(value.lo - 1, value.hi + 1, exact=True)


# -- arithmetic -----------------------------------------------------------------------------------------------------


@_rule("Add")
def _add(op: Op) -> Value:
    one, other = _integers(op, MOST_INT // 4)
    masked = one.masked or other.masked
    return Value(one.lo + other.lo, one.hi + other.hi, _whole(op), masked, accurate=_accurate(op, summed=True))


@_rule("Subtract")
def _subtract(op: Op) -> Value:
    one, other = _integers(op, MOST_INT // 4)
    accurate = one.exact and other.exact
    return Value(one.lo - other.hi, one.hi - other.lo, _whole(op), accurate=accurate)


@_rule("Multiply")
def _multiply(op: Op) -> Value:
    one, other = _integers(op, 1 << 11)
    products = [a * b for a in (one.lo, one.hi) for b in (other.lo, other.hi)]
    return Value(min(products), max(products), _whole(op), accurate=_accurate(op))


@_rule("CumSum")
def _cumulative(op: Op) -> Value:
    count = op.shape()[int(op.constant(1).item())]
    return _total(op, count)


@_rule("ReduceSum", "ReduceL1")
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
    one, other = op.ins[:2]
    return (one.size * other.size if op.type == "Multiply" else one.size + other.size) <= MOST_INT


def _whole(op: Op) -> bool:
    """Whether the sum or product is exact, since it is one of exact integers that are small enough."""
    return not op.is_float() and all(value.exact for value in op.ins)


@_rule("Divide")
def _divide(op: Op) -> Value:
    _floats(op)
    one, other = op.ins
    least = min(abs(other.lo), abs(other.hi))
    accurate = _accurate(op)
    if other.lo <= 0 <= other.hi or least < 1e-37:
        if not accurate:  # a small error of the dividend becomes a large one, too: elu(x) / x is 1 near zero
            op.apart(1)
        return Value(-math.inf, math.inf, undefined=True, accurate=accurate)
    if one.lo < 0 or other.lo < 0:
        return replace(symmetric(one.size / least), accurate=accurate)
    return Value(0, one.hi / least, accurate=accurate)


@_rule("Power")
def _power(op: Op) -> Value:
    _floats(op)
    base, exponent = op.ins[0], op.constant(1)
    if exponent is None or exponent.size != 1:
        _steadily(op, 0)
        op.bound(1, -64, 64)  # errors grow with it
        return Value(-math.inf, math.inf, undefined=True, accurate=base.steady)
    power = float(exponent.reshape(-1)[0])
    if power < 0 or (power != int(power) and base.lo < 0) or power > 64:
        if power < 0 and base.lo > 1e-30 and power >= -64:
            return Value(0, base.lo**power, accurate=base.steady)
        if power <= 64:
            _steadily(op, 0)
        return Value(-math.inf, math.inf, undefined=True, accurate=base.steady)
    try:
        largest = base.size**power
    except OverflowError:
        largest = math.inf
    if power % 2 == 1 and base.lo < 0:
        return replace(symmetric(largest), accurate=base.steady)
    return Value(0, largest, accurate=base.steady)


@_rule("SquaredDifference")
def _squared_difference(op: Op) -> Value:
    _floats(op)
    one, other = op.ins
    return Value(0, max(one.hi - other.lo, other.hi - one.lo) ** 2)


# -- functions ------------------------------------------------------------------------------------------------------

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


@_rule(*_FUNCTIONS)
def _function(op: Op) -> Value:
    _floats(op)
    (lo, hi), image = _FUNCTIONS[op.type]
    value = op.ins[0]
    if op.type in _PERIODIC:
        value = op.bound(0, lo, hi)
    if op.type in _ENDING and not value.exact and not (lo <= value.lo and value.hi <= hi):
        value = op.bound(0, lo + _NEAR_END, hi - _NEAR_END)
    if not lo <= value.lo or not value.hi <= hi:
        if op.type in _SINGULAR:
            _steadily(op, 0)
        return Value(-math.inf, math.inf, undefined=True, accurate=op.type == "Exp")
    if op.type == "Swish" and len(op.ins) > 1 and op.ins[1].lo < 0:
        raise CompileError("Swish with a negative factor grows without a limit")
    factor = max(1.0, abs(op.attribute("alpha", 1.0))) if op.type == "Elu" else 1.0
    result = image(value)
    accurate = op.type in _ACCURATE or (op.type == "Sqrt" and value.steady)
    return Value(result.lo * factor, result.hi * factor, accurate=accurate)


@_rule("Selu", "PRelu")
def _slope(op: Op) -> Value:
    _floats(op)
    factor = 1.0
    for value in op.ins[1:]:
        factor *= max(1.0, value.size)
    return symmetric(op.ins[0].size * factor)


@_rule("Softmax")
def _softmax(op: Op) -> Value:
    _floats(op)
    if op.ins[0].masked:
        op.some_in_each_row(0, op.attribute("axis"))
    return Value(0, 1, accurate=not op.ins[0].masked)


# -- sums of products -----------------------------------------------------------------------------------------------


def _summed(op: Op, count: int, weights: int = 1, axes: tuple[int, ...] = ()) -> Value:
    """``count`` products of inputs 0 and ``weights``. ``axes``: those of constant weights that are summed."""
    _floats(op)
    array = op.constant(weights)
    if array is not None and axes:
        return symmetric(op.ins[0].size * float(np.abs(array).sum(axes, dtype=np.float64).max(initial=0)))
    return symmetric(op.ins[0].size * op.ins[weights].size * count)


@_rule("MatMul")
def _matmul(op: Op) -> Value:
    first, second = op.shape(0), op.shape(1)
    count = first[0 if len(first) == 1 else -2 if op.attribute("transpose_a") else -1]
    axis = len(second) - 1 if op.attribute("transpose_b") or len(second) == 1 else len(second) - 2
    return _summed(op, count, axes=(axis,))


@_rule("Convolution")
def _convolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[1:]), axes=tuple(range(1, len(weights))))


@_rule("GroupConvolution")
def _group_convolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[2:]), axes=tuple(range(2, len(weights))))


@_rule("ConvolutionBackpropData")
def _deconvolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights) // max(1, weights[1]), axes=(0, *range(2, len(weights))))


@_rule("GroupConvolutionBackpropData")
def _group_deconvolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[1:]) // max(1, weights[2]), axes=(1, *range(3, len(weights))))


@_rule("Einsum")
def _einsum(op: Op) -> Value:
    _floats(op)
    terms, result = op.attribute("equation").replace(" ", "").split("->")
    if "." in terms:
        raise CompileError("Einsum with an ellipsis is not examined")
    sizes = {label: size for index, term in enumerate(terms.split(",")) for label, size in zip(term, op.shape(index))}
    count = math.prod(size for label, size in sizes.items() if label not in result)
    return symmetric(count * math.prod(value.size for value in op.ins))


@_rule("ScaledDotProductAttention")
def _attention(op: Op) -> Value:
    _floats(op)
    query, key, value = op.ins[:3]
    scale = op.ins[4].size if len(op.ins) > 4 else 1.0
    scores = query.size * key.size * op.shape(0)[-1] * max(1.0, scale)
    if not scores < 1e38:
        return Value(-math.inf, math.inf, undefined=True)
    mask = op.ins[3] if len(op.ins) > 3 else None
    if mask is not None and math.prod(op.shape(3)) > 1:
        if op.attribute("causal"):
            raise CompileError("ScaledDotProductAttention both causal and with a mask is not examined")
        if mask.masked or not op.is_float(3):
            op.some_in_each_row(3, -1)
    return symmetric(value.size)


@_rule("LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell")
def _recurrent(op: Op) -> list[Value]:
    _floats(op)
    lstm, sequence = op.type.startswith("LSTM"), op.type.endswith("Sequence")
    state = op.ins[1].size
    steps = op.shape(0)[1] if sequence else 1
    weights = 3 + lstm if sequence else 2 + lstm
    inner = op.ins[0].size * op.ins[weights].size * op.shape(0)[-1]
    inner += max(1.0, state) * op.ins[weights + 1].size * op.shape(weights + 1)[-1] + op.ins[weights + 2].size
    if not inner < 1e38:
        return [Value(-math.inf, math.inf, undefined=True)] * 3
    if op.attribute("activations", ["tanh"])[-1] == "relu":
        raise CompileError(f"{op.type} with relu grows without a limit")
    out = symmetric(max(1.0, state))
    cell = [symmetric(op.ins[2].size + steps)] if lstm else []
    return [out, out, *cell] if sequence else [out, *cell]


# -- means, norms and resizing --------------------------------------------------------------------------------------


@_rule("AvgPool", "AdaptiveAvgPool", "ReduceMean")
def _mean(op: Op) -> Value:
    _floats(op)
    value = union(op.ins[0], Value(0, 0)).inexact()
    accurate = op.type == "ReduceMean" and op.ins[0].steady and op.ins[0].lo >= 0
    return replace(value, accurate=accurate)


@_rule("MVN", "GroupNormalization")
def _normalized(op: Op) -> Value:
    _floats(op)
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


@_rule("BatchNormInference")
def _batch_normalized(op: Op) -> Value:
    data, gamma, beta, mean, variance = op.ins
    if not variance.lo + op.attribute("epsilon") > 0:
        return Value(-math.inf, math.inf, undefined=True)
    scale = gamma.size / math.sqrt(variance.lo + op.attribute("epsilon"))
    return symmetric((data.size + mean.size) * scale + beta.size)


@_rule("NormalizeL2")
def _normalized_l2(op: Op) -> Value:
    _floats(op)
    if not op.attribute("eps") > 0:
        raise CompileError(f"{op.type} divides by a computed number that may be zero")
    if not op.ins[0].size ** 2 * math.prod(op.shape()) < 1e38:
        return Value(-math.inf, math.inf, undefined=True)
    return symmetric(2)


@_rule("ReduceL2")
def _root_of_squares(op: Op) -> Value:
    _floats(op)
    squares = op.ins[0].size ** 2 * math.prod(op.shape())
    return Value(0, math.sqrt(squares)) if squares < 1e38 else Value(-math.inf, math.inf, undefined=True)


@_rule("LRN")
def _local_response(op: Op) -> Value:
    _floats(op)
    if not op.attribute("bias") >= 1 or op.attribute("alpha") < 0 or op.attribute("beta") < 0:
        return Value(-math.inf, math.inf, undefined=True)
    return symmetric(op.ins[0].size if op.ins[0].size < 1e16 else math.inf)


@_rule("Interpolate")
def _resized(op: Op) -> Value:
    _floats(op)
    value = op.ins[0]
    mode = op.attribute("mode")
    if mode == "nearest":
        return value
    return symmetric(value.size * (4 if "cubic" in mode else 1))


@_rule("ShapeOf", "Range")
def _of_shape(op: Op) -> Value:
    if op.type == "Range" and not all(op.constant(index) is not None for index in range(3)):
        raise CompileError("Range takes numbers that are not constant")
    return symmetric(max(value.size for value in op.ins) if op.type == "Range" else MOST_INT, exact=True)
