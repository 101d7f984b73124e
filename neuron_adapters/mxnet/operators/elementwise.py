"""Functions of one array, element by element: mathematics, activations, casts and copies."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, Shapes, axis_of, complete, numbered, unify

Unary = Callable[[Builder, Tensor], Value]


def _round(to: Builder, x: Value) -> Value:
    # MXNet rounds halves away from zero, ONNX to the even neighbour.
    return to.Mul(to.Sign(x), to.Floor(to.Add(to.Abs(x), 0.5)))


def _rint(to: Builder, x: Value) -> Value:
    # Of two neighbours that are as near, MXNet takes the lower.
    return to.Ceil(to.Sub(x, 0.5))


def truncated(to: Builder, x: Value) -> Value:
    """Truncate towards zero."""
    return to.Mul(to.Sign(x), to.Floor(to.Abs(x)))


def _scaled(to: Builder, x: Value, factor: float) -> Value:
    """Multiply; whole numbers in float32, and cut off."""
    if x.dtype.startswith("float"):
        return to.Mul(x, factor)
    return to.cast(truncated(to, to.Mul(to.cast(x, "float32"), factor)), x.dtype)


def cube_root(to: Builder, x: Value) -> Value:
    """Compute the cube root, which has the sign of ``x``."""
    return to.Mul(to.Sign(x), to.Pow(to.Abs(x), 1.0 / 3.0))


def _log1p(to: Builder, x: Value) -> Value:
    # log(u) x / (u - 1) with u = 1 + x: what rounding u loses, the division by what is left of x gives back.
    u = to.Add(x, 1.0)
    rest = to.Sub(u, 1.0)
    small = to.Equal(rest, 0.0)
    infinite = to.Equal(to.Sub(x, x), 0.0)
    precise = to.Where(small, x, to.Mul(to.Log(u), to.Div(x, to.Where(small, _like(to, x, 1.0), rest))))
    return to.Where(infinite, precise, to.Log(u))


def _expm1(to: Builder, x: Value) -> Value:
    # 2 sinh(x / 2) exp(x / 2) does not subtract what is nearly equal.
    half = to.Mul(x, 0.5)
    return to.Mul(to.Mul(_sinh(to, half), to.Exp(half)), 2.0)


def _sinh(to: Builder, x: Value) -> Value:
    # Near zero the exponentials cancel: there the series is exact enough.
    square = to.Mul(x, x)
    series = to.Add(to.Mul(square, 1.0 / 120.0), 1.0 / 6.0)
    near = to.Mul(x, to.Add(to.Mul(square, series), 1.0))
    far = to.Mul(to.Sub(to.Exp(x), to.Exp(to.Neg(x))), 0.5)
    return to.Where(to.Less(to.Abs(x), 0.3), near, far)


def _erfinv(to: Builder, x: Value) -> Value:
    # A first guess by Winitzki's formula, then Newton's steps on erf(y) = x; on the tails erf has no digits left to
    # step by, and float32 inputs end at 1 - 6e-8.
    log = to.Log(to.Mul(to.Add(to.Neg(x), 1.0), to.Add(x, 1.0)))
    a = 0.147
    middle = to.Add(to.Mul(log, 0.5), 2.0 / (math.pi * a))
    root = to.Sqrt(to.Sub(to.Sqrt(to.Sub(to.Mul(middle, middle), to.Mul(log, 1.0 / a))), middle))
    y = to.Mul(to.Sign(x), root)
    for _ in range(3):
        slope = to.Mul(to.Exp(to.Neg(to.Mul(y, y))), 2.0 / math.sqrt(math.pi))
        y = to.Sub(y, to.Div(to.Sub(to.Erf(y), x), slope))
    return to.Where(to.Equal(to.Abs(x), 1.0), to.Mul(x, math.inf), y)


def _gammaln(to: Builder, x: Value) -> Value:
    """Compute by Lanczos' approximation for x > 0.5, and by reflection below."""
    below = to.Less(x, 0.5)
    z = to.Sub(to.Where(below, to.Add(to.Neg(x), 1.0), x), 1.0)
    series = _like(to, x, _LANCZOS[0])
    for index, factor in enumerate(_LANCZOS[1:], 1):
        series = to.Add(series, to.Div(to.constant(factor, x.dtype), to.Add(z, float(index))))
    t = to.Add(z, 5.5)
    above = to.Add(to.Sub(to.Mul(to.Add(z, 0.5), to.Log(t)), t), to.Add(to.Log(series), 0.5 * math.log(2.0 * math.pi)))
    reflected = to.Sub(to.Add(to.Neg(to.Log(to.Abs(to.Sin(to.Mul(x, math.pi))))), math.log(math.pi)), above)
    return to.Where(below, reflected, above)


_LANCZOS = (1.000000000190015, 76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155,
            0.1208650973866179e-2, -0.5395239384953e-5)  # fmt: skip


def _gamma(to: Builder, x: Value) -> Value:
    magnitude = to.Exp(_gammaln(to, x))
    # Below zero its sign changes at every whole number.
    floor = to.Floor(x)
    odd = to.Sub(floor, to.Mul(to.Floor(to.Mul(floor, 0.5)), 2.0))
    negative = to.And(to.Less(x, 0.0), to.Greater(odd, 0.5))
    return to.Where(negative, to.Neg(magnitude), magnitude)


def _like(to: Builder, x: Value, value: float) -> Value:
    return to.Add(to.Mul(x, 0.0), value)


def _named(onnx: str) -> Unary:
    return lambda to, x: to.node(onnx, 1, x)[0]


UNARY: dict[str, Unary] = {
    "abs": _named("Abs"),
    "arccos": _named("Acos"),
    "arccosh": _named("Acosh"),
    "arcsin": _named("Asin"),
    "arcsinh": _named("Asinh"),
    "arctan": _named("Atan"),
    "arctanh": _named("Atanh"),
    "cbrt": cube_root,
    "ceil": _named("Ceil"),
    "cos": _named("Cos"),
    "cosh": lambda to, x: to.Mul(to.Add(to.Exp(x), to.Exp(to.Neg(x))), 0.5),
    "degrees": lambda to, x: _scaled(to, x, 180.0 / math.pi),
    "erf": _named("Erf"),
    "erfinv": _erfinv,
    "exp": _named("Exp"),
    "expm1": _expm1,
    "fix": truncated,
    "floor": _named("Floor"),
    "gamma": _gamma,
    "gammaln": _gammaln,
    "log": _named("Log"),
    "log10": lambda to, x: to.Mul(to.Log(x), 1.0 / math.log(10.0)),
    "log1p": _log1p,
    "log2": lambda to, x: to.Mul(to.Log(x), 1.0 / math.log(2.0)),
    "logical_not": lambda to, x: to.cast(to.Equal(x, 0.0), x.dtype),
    "negative": _named("Neg"),
    "radians": lambda to, x: _scaled(to, x, math.pi / 180.0),
    "rcbrt": lambda to, x: to.Reciprocal(cube_root(to, x)),
    "reciprocal": _named("Reciprocal"),
    "relu": _named("Relu"),
    "rint": _rint,
    "round": _round,
    "rsqrt": lambda to, x: to.Reciprocal(to.Sqrt(x)),
    "sigmoid": _named("Sigmoid"),
    "sign": _named("Sign"),
    "sin": _named("Sin"),
    "sinh": _sinh,
    "softsign": _named("Softsign"),
    "sqrt": _named("Sqrt"),
    "square": lambda to, x: to.Mul(x, x),
    "tan": _named("Tan"),
    "tanh": _named("Tanh"),
    "trunc": truncated,
}
#: Names that MXNet's table of synonyms lacks.
_OTHER_NAMES = {name: (f"_contrib_{name}_ste", f"_sparse__contrib_{name}_ste") for name in ("round", "sign")}

#: Those that leave whole numbers as they are.
_WHOLE = {"ceil", "fix", "floor", "rint", "round", "trunc"}
#: Those that give whole numbers of whole numbers. Of integers the others compute in float32, and cut the fraction off.
_EXACT = {"abs", "logical_not", "negative", "relu", "sign", "square", *_WHOLE}


def in_floats(to: Builder, x: Tensor, compute: Callable[[Value], Value], dtype: str = "float32") -> Value:
    """Compute in floating-point numbers what ``x`` is, where it holds integers, and cut the fraction off."""
    if x.dtype.startswith("float"):
        return compute(x)
    return to.cast(truncated(to, compute(to.cast(x, dtype))), x.dtype)


def _leaving_whole(unary: Unary) -> Unary:
    return lambda to, x: unary(to, x) if x.dtype.startswith("float") else x


UNARY.update({_name: _leaving_whole(UNARY[_name]) for _name in _WHOLE})

for _name, _unary in UNARY.items():

    @operator(_name, *_OTHER_NAMES.get(_name, ()))
    def _translated(
        to: Builder, _at: Attributes, x: Tensor, unary: Unary = _unary, exact: bool = _name in _EXACT
    ) -> Value:
        if exact:
            return unary(to, x)
        return in_floats(to, x, lambda value: unary(to, Tensor(value.name, value.dtype, x.shape)))


@operator("clip")
def _clip(to: Builder, at: Attributes, x: Tensor) -> Value:
    low, high = (float(np.float32(at.number(name))) for name in ("a_min", "a_max"))
    if x.dtype.startswith("float") and low <= high:
        return to.Clip(x, low, high)
    # MXNet looks at the upper end first, and compares with an end before it becomes an integer.
    wide: Value = x if x.dtype in ("float32", "float64") else to.cast(x, "float32")
    value: Value = x
    for compare, end in ((to.Less, low), (to.Greater, high)):
        if not math.isnan(end):
            value = to.Where(compare(wide, end), to.constant(end, x.dtype), value)
    return value


@operator("smooth_l1")
def _smooth_l1(to: Builder, at: Attributes, x: Tensor) -> Value:
    scalar = at.number("scalar", 1.0)
    square = scalar**2 if x.dtype.startswith("float") else math.trunc(scalar) ** 2

    def compute(value: Value) -> Value:
        curved = to.Mul(to.Mul(value, value), 0.5 * square)
        if not square:
            return curved
        size = to.Abs(value)
        return to.Where(to.Less(size, 1.0 / square), curved, to.Sub(size, 0.5 / square))

    return in_floats(to, x, compute)


@operator("_contrib_quadratic")
def _quadratic(to: Builder, at: Attributes, x: Tensor) -> Value:
    a, b, c = (at.number(name, 0.0) for name in "abc")
    return in_floats(to, x, lambda value: to.Add(to.Mul(to.Add(to.Mul(value, a), b), value), c))


@operator("_contrib_div_sqrt_dim")
def _div_sqrt_dim(to: Builder, _at: Attributes, x: Tensor) -> Value:
    """Of integers the root, too, is a whole number."""
    size = x.shape[axis_of(-1, len(x.shape))]
    return to.Mul(x, 1.0 / math.sqrt(size)) if x.dtype.startswith("float") else to.Div(x, math.isqrt(size))


@operator("Activation")
def _activation(to: Builder, at: Attributes, x: Tensor) -> Value:
    kinds = {"relu": "Relu", "sigmoid": "Sigmoid", "softrelu": "Softplus", "softsign": "Softsign", "tanh": "Tanh"}
    return to.node(kinds[at.choice("act_type", tuple(kinds))], 1, x)[0]


def _require_slopes(shape: Shape, gamma: Shape) -> None:
    """Raise ValueError where the slopes ``gamma``, whose axes are the first ones of the data, do not fit."""
    own = shape[1:2] if len(gamma) == 1 and len(shape) > 1 else shape
    if len(gamma) > len(shape) or any(size not in (1, other) for size, other in zip(gamma, own)):
        raise ValueError(f"gamma {gamma} cannot be broadcast to data {shape}")


def _leaky_shapes(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(ins[0], outs[0])
    gamma = ins[1:]
    if gamma == [None] and shape is not None:
        gamma = [(shape[1] if len(shape) > 1 else 1,)]
    if gamma and complete(shape) and complete(gamma[0]):
        _require_slopes(shape or (), gamma[0] or ())
    return [shape, *gamma], [shape] * len(outs)


@operator("LeakyReLU", inputs=lambda at: ["data", "gamma"] if _leaky_kind(at) == "prelu" else ["data"],
          outputs=lambda at: ["output", "mask"] if _leaky_kind(at) == "rrelu" else ["output"],
          shapes=_leaky_shapes)  # fmt: skip
def _leaky_relu(to: Builder, at: Attributes, x: Tensor, gamma: Tensor | None = None) -> list[Value]:
    kind = _leaky_kind(at)
    if kind == "rrelu":
        # The slopes are drawn in training only; the mask is zeros at inference.
        slope = (at.number("lower_bound", 0.125) + at.number("upper_bound", 0.334)) / 2.0
        return [to.LeakyRelu(x, alpha=slope), to.constant(np.zeros(x.shape), x.dtype)]
    slope = at.number("slope", 0.25)
    if gamma is not None:
        slopes = list(gamma.shape) if len(gamma.shape) > 1 or len(x.shape) == 1 else [1, *gamma.shape]
        return [to.PRelu(x, to.reshape(gamma, slopes + [1] * (len(x.shape) - len(slopes))))]
    if kind == "elu":
        return [to.Elu(x, alpha=slope)]
    if kind == "selu":
        return [to.Selu(x)]
    return [_gelu(to, x) if kind == "gelu" else to.LeakyRelu(x, alpha=slope)]


def _leaky_kind(at: Attributes) -> str:
    return at.choice("act_type", ("elu", "gelu", "leaky", "prelu", "rrelu", "selu"), "leaky")


def _gelu(to: Builder, x: Value) -> Value:
    """Apply the exact GELU: ``x`` times the normal distribution function, by the error function."""
    # Engines recognise this form as one function.
    return to.Mul(to.Mul(x, to.Add(to.Erf(to.Div(x, math.sqrt(2.0))), 1.0)), 0.5)


@operator("hard_sigmoid")
def _hard_sigmoid(to: Builder, at: Attributes, x: Tensor) -> Value:
    return to.Clip(to.Add(to.Mul(x, at.number("alpha", 0.2)), at.number("beta", 0.5)), 0.0, 1.0)


@operator("_copy", "BlockGrad", "MakeLoss", "_CrossDeviceCopy", "_contrib_gradientmultiplier", "cast_storage",
          "_sparse_cast_storage")  # fmt: skip
def _copy(_to: Builder, _at: Attributes, x: Tensor) -> Value:
    return x


operator("make_loss", outputs=("loss",))(_copy)


@operator("Dropout")
def _dropout(to: Builder, at: Attributes, x: Tensor) -> Value:
    """Copy, unless it drops at inference, too: along ``axes``, all or nothing."""
    if at.choice("mode", ("training", "always"), "training") == "training":
        return x
    share = 1.0 - at.number("p", 0.5)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"attribute p must be from 0 to 1, got {1.0 - share:g}")
    axes = {axis_of(axis, len(x.shape)) for axis in at.integers("axes", ())}
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    return to.Mul(x, to.draw(lambda: _random.kept(share, shape, x.dtype), shape, x.dtype))


def _identity_like(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(unify(ins[0], ins[1]), outs[0])
    return [shape, shape], [shape]


@operator("_identity_with_attr_like_rhs", inputs=("lhs", "rhs"), shapes=_identity_like)
def _identity_with_attr_like_rhs(_to: Builder, _at: Attributes, lhs: Tensor, _rhs: Tensor) -> Value:
    return lhs


#: bfloat16, which NumPy lacks, by name and by MXNet's number. Its values are float32 with 8 bits of precision.
_BFLOAT16 = ("bfloat16", "12")


def _cast_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    return ins, ["float32" if at.text("dtype") in _BFLOAT16 else at.dtype("dtype", "float32")] * count


def _amp_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """Of numbers that mixed precision does not touch, leave the dtype."""
    if ins[0] not in ("float16", "float32"):
        return ins, [ins[0]] * count
    return _cast_dtypes(at, ins, count)


@operator("amp_cast", dtypes=_amp_dtypes)
def _amp_cast(to: Builder, at: Attributes, x: Tensor) -> Value:
    return x if x.dtype not in ("float16", "float32") else _cast(to, at, x)  # type: ignore[return-value]


@operator("Cast", dtypes=_cast_dtypes)
def _cast(to: Builder, at: Attributes, x: Tensor) -> Value:
    dtype = to.outputs[0].dtype
    if at.text("dtype") in _BFLOAT16:
        return _as_bfloat16(to, to.cast(x, "float32"))
    if x.dtype.startswith("float") and not dtype.startswith(("float", "bool")):
        # A conversion cuts the fraction off; some engines round.
        return to.cast(truncated(to, x), dtype)
    return to.cast(x, dtype)


def _as_bfloat16(to: Builder, x: Value) -> Value:
    """Round to 8 bits of precision: what is added and subtracted again takes the others along (Veltkamp's split)."""
    scaled = to.Mul(x, float((1 << 16) + 1))
    return to.Sub(scaled, to.Sub(scaled, x))


def _widest(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    order = ("float16", "float32", "float64")
    known = [order.index(dtype) for dtype in ins if dtype in order]
    if not known or None in ins:
        return ins, [None] * count
    chosen = order[min(known) if at.flag("cast_narrow", default=False) else max(known)]
    return ins, [chosen if dtype in order else dtype for dtype in ins]


def _pairwise(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shapes = [unify(taken, copied) for taken, copied in zip(ins, outs)]
    return shapes, list(shapes)


@operator("amp_multicast", inputs=lambda at: numbered("data_", at.count("num_outputs")),
          outputs=lambda at: numbered("output", at.count("num_outputs")), shapes=_pairwise, dtypes=_widest,
          variadic="num_outputs")  # fmt: skip
def _amp_multicast(to: Builder, _at: Attributes, *tensors: Tensor) -> list[Value]:
    return [to.cast(tensor, out.dtype) for tensor, out in zip(tensors, to.outputs)]
