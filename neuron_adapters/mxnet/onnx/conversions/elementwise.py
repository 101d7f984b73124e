"""Operators that compute one number at a time, of one input or of several that are broadcast to one shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call, lifted
from neuron_adapters.mxnet.onnx._files import DTYPES
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Dims, Size
from neuron_adapters.mxnet.onnx.conversions._registry import CONVERSIONS, converts
from neuron_adapters.mxnet.symbol import Symbol

#: ONNX's names of functions of one number, and MXNet's.
_UNARY = {
    "Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin", "Asinh": "arcsinh", "Atan": "arctan",
    "Atanh": "arctanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf", "Exp": "exp", "Floor": "floor",
    "Identity": "identity", "Log": "log", "Neg": "negative", "Not": "logical_not", "Reciprocal": "reciprocal",
    "Relu": "relu", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Softsign": "softsign",
    "Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh",
}  # fmt: skip

#: Of two inputs.
_BINARY = {
    "Add": "broadcast_add", "And": "broadcast_logical_and", "Div": "broadcast_div", "Mul": "broadcast_mul",
    "Or": "broadcast_logical_or", "Sub": "broadcast_sub", "Xor": "broadcast_logical_xor",
}  # fmt: skip

_COMPARED = {
    "Equal": "broadcast_equal", "Greater": "broadcast_greater", "GreaterOrEqual": "broadcast_greater_equal",
    "Less": "broadcast_lesser", "LessOrEqual": "broadcast_lesser_equal",
}  # fmt: skip

_MANY = {"Max": "broadcast_maximum", "Min": "broadcast_minimum", "Sum": "broadcast_add"}


def _unary(operator: str, call: Call) -> Symbol:
    return sym(operator)(call.tensor(0), name=call.name)


def _pair(call: Call) -> tuple[Symbol, Symbol]:
    """Return two inputs. Before version 7 the second one's axes could be said: they begin at ``axis``."""
    x, y = call.tensor(0), call.tensor(1)
    if call.opset < 7 and call.attribute("broadcast", 0) and call.has_attribute("axis"):
        rank, own = len(call.shape(0)), len(call.shape(1))
        behind = rank - call.at(call.attribute("axis"), rank) - own
        for _ in range(behind):
            y = sym.expand_dims(y, axis=-1)
    return x, y


def _binary(operator: str, call: Call) -> Symbol:
    for place, name in enumerate(_WITH_NUMBER.get(call.op, ())):
        number = _number(call, 1 - place)
        if number is not None:
            return sym(name)(call.tensor(place), scalar=number, name=call.name)
    return sym(operator)(*_pair(call), name=call.name)


#: The operators whose second input, and whose first, is one number.
_WITH_NUMBER = {
    "Add": ("_plus_scalar", "_plus_scalar"),
    "Div": ("_div_scalar", "_rdiv_scalar"),
    "Mul": ("_mul_scalar", "_mul_scalar"),
    "Sub": ("_minus_scalar", "_rminus_scalar"),
}


def _number(call: Call, place: int) -> float | None:
    """Return an input that is one finite number, beside an array of as many axes at least."""
    array, shape = call.known(place), call.graph.shape(call.inputs[1 - place])
    if array is None or array.size != 1 or array.dtype.kind != "f" or call.known(1 - place) is not None:
        return None
    if shape is None or array.ndim > max(len(shape), 1) or not np.isfinite(array).all():
        return None
    return float(array.reshape(-1)[0])


def _comparison(operator: str, call: Call) -> Symbol:
    """MXNet answers in the dtype that it compares."""
    compared = sym(operator)(*_pair(call), name=call.name)
    return compared if call.dtype(0) == "float32" else sym.cast(compared, dtype="float32")


def _many(operator: str, call: Call) -> Symbol:
    return _joined(sym(operator), call.tensors(), call.name)


def _joined(function: Callable[..., Symbol], parts: Sequence[Symbol], name: str | None) -> Symbol:
    if len(parts) == 1:
        return sym.identity(parts[0], name=name)
    return function(functools.reduce(function, parts[:-1]), parts[-1], name=name)


for _table, _convert in ((_UNARY, _unary), (_BINARY, _binary), (_COMPARED, _comparison), (_MANY, _many)):
    for _name, _operator in _table.items():
        CONVERSIONS[_name] = functools.partial(_convert, _operator)


@converts("Mean")
def _mean(call: Call) -> Symbol:
    parts = call.tensors()
    return sym._mul_scalar(_joined(sym.broadcast_add, parts, None), scalar=1.0 / len(parts), name=call.name)


@converts("Pow")
def _power(call: Call) -> Symbol:
    x, y = _pair(call)
    if call.dtype(0) != call.dtype(1):
        y = sym.cast(y, dtype=call.dtype(0))
    return sym.broadcast_power(x, y, name=call.name)


@converts("Mod")
def _modulo(call: Call) -> Symbol:
    x, y = _pair(call)
    floats = call.dtype(0).startswith("float")
    if not call.attribute("fmod", 0):
        if floats:
            call.refuse("of floats it has other answers in MXNet where one is infinite or 0: use fmod=1.")
        return sym.broadcast_mod(x, y, name=call.name)
    # The sign is that of the first.
    rest = sym.broadcast_mul(sym.sign(x), sym.broadcast_mod(sym.abs(x), sym.abs(y)), name=None if floats else call.name)
    if not floats:
        return rest
    some = sym._not_equal_scalar(y, scalar=0.0)  # 0 by 0 is NaN, where MXNet has 0
    return sym.broadcast_mul(rest, sym.broadcast_div(some, some), name=call.name)


@converts("Where")
def _where(call: Call) -> Symbol:
    return sym.where(*in_one_shape(call), name=call.name)


def in_one_shape(call: Call) -> list[Symbol]:
    """Broadcast all inputs to their common shape, for operators that do not broadcast."""
    shapes = [call.held_shape(place) for place in range(len(call.inputs))]
    rank = max(map(len, shapes))
    parts = [lifted(call.tensor(place), len(shape), rank) for place, shape in enumerate(shapes)]
    whole = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    if all(_alike(shape, whole[0]) for shape in whole):
        return parts
    common = [_common(sizes) for sizes in zip(*whole)]
    if all(isinstance(size, int) for size in common):
        return [
            part if _alike(shape, tuple(common)) else sym.broadcast_to(part, shape=tuple(common))
            for part, shape in zip(parts, whole)
        ]
    # Of these sums only the shape is used.
    like = functools.reduce(sym.broadcast_add, [sym.cast(part, dtype="float32") for part in parts])
    return [sym.broadcast_like(part, like) for part in parts]


def _alike(left: Dims, right: Dims) -> bool:
    return all(a is b if isinstance(a, Size) or isinstance(b, Size) else a == b for a, b in zip(left, right))


def _common(sizes: Sequence[int | Size]) -> int | Size:
    numbers = [size for size in sizes if isinstance(size, int) and size != 1]
    if numbers:
        return numbers[0]
    return next((size for size in sizes if isinstance(size, Size)), 1)


@converts("Cast")
def _cast(call: Call) -> Symbol:
    wanted = call.attribute("to")
    if isinstance(wanted, str):  # before version 6 it was text
        dtype = {"float": "float32", "double": "float64"}.get(wanted.lower(), wanted.lower())
    else:
        dtype = DTYPES.get(wanted, "")
    if dtype not in DTYPES.values():
        call.refuse(f"MXNet lacks the dtype with ONNX's number {wanted}: export the model in float32.")
    x = call.tensor(0)
    if dtype == "bool":
        if call.graph.dtype(call.inputs[0]) == "bool":
            return sym.identity(x, name=call.name)
        return sym.cast(sym._not_equal_scalar(x, scalar=0), dtype="float32", name=call.name)
    return sym.cast(x, dtype=dtype, name=call.name)


@converts("CastLike")
def _cast_like(call: Call) -> Symbol:
    return sym.cast(call.tensor(0), dtype=call.dtype(1), name=call.name)


@converts("Clip")
def _clip(call: Call) -> Symbol:
    bounds: list[float | Symbol | None] = []
    for place, name in ((1, "min"), (2, "max")):
        if call.has_attribute(name):
            bounds.append(call.number(name, 0.0))
        elif not call.has_input(place):
            bounds.append(None)
        elif call.known(place) is None or not call.dtype(0).startswith("float"):
            bounds.append(call.tensor(place))
        else:
            bounds.append(float(call.scalar(place, name)))
    low, high = bounds
    x = call.tensor(0)
    if isinstance(low, float) and isinstance(high, float):
        return sym.clip(x, a_min=low, a_max=high, name=call.name)
    if low is not None:
        x = sym._maximum_scalar(x, scalar=low) if isinstance(low, float) else sym.broadcast_maximum(x, low)
    if high is not None:
        x = sym._minimum_scalar(x, scalar=high) if isinstance(high, float) else sym.broadcast_minimum(x, high)
    return sym.identity(x, name=call.name)


@converts("Round")
def _round(call: Call) -> Symbol:
    return rounded(call.tensor(0), call.name)


def rounded(x: Symbol, name: str | None) -> Symbol:
    """Round to whole numbers, halves to the even one, which none of MXNet's operators does."""
    below = sym.floor(x)
    rest = x - below
    odd = sym._mod_scalar(below, scalar=2.0)
    return sym.broadcast_add(below, (rest > 0.5) + (rest == 0.5) * odd, name=name)


@converts("IsNaN")
def _is_nan(call: Call) -> Symbol:
    x = call.tensor(0)
    return sym.cast(sym.broadcast_not_equal(x, x), dtype="float32", name=call.name)


@converts("IsInf")
def _is_infinite(call: Call) -> Symbol:
    x = call.tensor(0)
    up, down = call.attribute("detect_positive", 1), call.attribute("detect_negative", 1)
    if up and down:
        infinite = sym._equal_scalar(sym.abs(x), scalar=np.inf)
    else:
        infinite = sym._equal_scalar(x, scalar=np.inf if up else -np.inf)
    return sym.cast(infinite, dtype="float32", name=call.name)


# -- activations ----------------------------------------------------------------------------------------------------


@converts("Softplus")
def _softplus(call: Call) -> Symbol:
    return sym.Activation(call.tensor(0), act_type="softrelu", name=call.name)


@converts("LeakyRelu")
def _leaky(call: Call) -> Symbol:
    return sym.LeakyReLU(call.tensor(0), act_type="leaky", slope=call.number("alpha", 0.01), name=call.name)


@converts("Elu")
def _elu(call: Call) -> Symbol:
    return sym.LeakyReLU(call.tensor(0), act_type="elu", slope=call.number("alpha", 1.0), name=call.name)


@converts("Celu")
def _celu(call: Call) -> Symbol:
    alpha = call.number("alpha", 1.0)
    scaled = sym.LeakyReLU(sym._div_scalar(call.tensor(0), scalar=alpha), act_type="elu", slope=1.0)
    return sym._mul_scalar(scaled, scalar=alpha, name=call.name)


@converts("Selu")
def _selu(call: Call) -> Symbol:
    alpha, gamma = call.number("alpha", 1.67326319), call.number("gamma", 1.05070102)
    if abs(alpha - 1.67326319) < 1e-5 and abs(gamma - 1.05070102) < 1e-5:
        return sym.LeakyReLU(call.tensor(0), act_type="selu", name=call.name)
    return sym._mul_scalar(sym.LeakyReLU(call.tensor(0), act_type="elu", slope=alpha), scalar=gamma, name=call.name)


@converts("PRelu")
def _prelu(call: Call) -> Symbol:
    slope, x = call.known(1), call.tensor(0)
    rank = len(call.shape(0))
    # MXNet's has a slope a channel, the second axis.
    if slope is not None and (slope.size == 1 or (slope.ndim == rank - 1 and slope.shape[0] == slope.size)):
        gamma = call.tensor(1) if slope.ndim == 1 else call.parameter(slope.reshape(-1), "gamma")
        return sym.LeakyReLU(x, gamma, act_type="prelu", name=call.name)
    below = sym.broadcast_mul(call.tensor(1), sym.negative(sym.relu(sym.negative(x))))
    return sym.broadcast_add(sym.relu(x), below, name=call.name)


@converts("HardSigmoid")
def _hard_sigmoid(call: Call) -> Symbol:
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    return sym.hard_sigmoid(call.tensor(0), alpha=alpha, beta=beta, name=call.name)


@converts("HardSwish")
def _hard_swish(call: Call) -> Symbol:
    x = call.tensor(0)
    return sym.elemwise_mul(x, sym.hard_sigmoid(x, alpha=1 / 6, beta=0.5), name=call.name)


@converts("ThresholdedRelu")
def _thresholded(call: Call) -> Symbol:
    x = call.tensor(0)
    above = sym._greater_scalar(x, scalar=call.number("alpha", 1.0))
    return sym.where(above, x, sym.zeros_like(x), name=call.name)


@converts("Gelu")
def _gelu(call: Call) -> Symbol:
    x = call.tensor(0)
    if call.attribute("approximate", "none") == "none":
        return sym.LeakyReLU(x, act_type="gelu", name=call.name)
    inner = (x + 0.044715 * x * x * x) * float(np.sqrt(2 / np.pi))
    return sym.elemwise_mul(0.5 * x, 1.0 + sym.tanh(inner), name=call.name)


@converts("Mish")
def _mish(call: Call) -> Symbol:
    x = call.tensor(0)
    return sym.elemwise_mul(x, sym.tanh(sym.Activation(x, act_type="softrelu")), name=call.name)


@converts("Dropout")
def _dropout(call: Call) -> Symbol:
    """Without effect at inference."""
    if call.has_input(2) and call.scalar(2, "training_mode"):
        call.refuse("training_mode is true: export the model for inference.")
    ratio = call.number("ratio", 0.5) if call.opset < 12 or not call.has_input(1) else float(call.scalar(1, "ratio"))
    return sym.Dropout(call.tensor(0), p=ratio, name=call.name)
