"""Functions of single elements, and of pairs of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet._operators import broadcast_name, elementwise_name
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import _arithmetic
from neuron_adapters.mxnet.ndarray._array import dtype_of
from neuron_adapters.mxnet.ndarray._function import function

Array = np.ndarray[Any, Any]


def _round(data: Array) -> Any:
    return np.trunc(data + np.copysign(0.5, data))


def _rint(data: Array) -> Array:
    # A half goes down, as nowhere else.
    return np.ceil(data - 0.5)


_erf = np.frompyfunc(math.erf, 1, 1)
_gamma = np.frompyfunc(math.gamma, 1, 1)
_lgamma = np.frompyfunc(math.lgamma, 1, 1)

#: Those that float16 and float32 compute in their own precision.
_EXACT: dict[str, Callable[[Array], Any]] = {
    "abs": np.abs,
    "negative": np.negative,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "fix": np.trunc,
    "round": _round,
    "rint": _rint,
    "square": np.square,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "rcbrt": lambda x: 1 / np.cbrt(x),
    "reciprocal": lambda x: 1 / x,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "degrees": np.degrees,
    "radians": np.radians,
    "erf": _erf,
    "gamma": _gamma,
    "gammaln": _lgamma,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softrelu": lambda x: np.logaddexp(x, 0),
    "logical_not": lambda x: x == 0,
}


def _single(name: str, compute: Callable[[Array], Any]) -> None:
    def call(data: Array) -> Array:
        # Of whole numbers, the result of real ones, cut off.
        real = data if data.dtype.kind == "f" else data.astype(np.float64)
        return np.asarray(compute(real)).astype(data.dtype)

    call.__name__, call.__doc__ = name, f"Compute {name} of each element."
    function(name)(call)


for _name, _compute in _EXACT.items():
    _single(_name, _compute)


def _pair(kind: str, compute: Callable[[Array, Array], Array]) -> None:
    def call(lhs: Any, rhs: Any) -> Array:
        if not isinstance(lhs, np.ndarray):
            return compute(_arithmetic.number(lhs, rhs.dtype), rhs)
        if not isinstance(rhs, np.ndarray):
            return compute(lhs, _arithmetic.number(rhs, lhs.dtype))
        return compute(lhs, _arithmetic.matched(lhs, rhs))

    call.__name__, call.__doc__ = kind, f"Compute {kind} of two arrays, or of an array and a number."
    function(kind, broadcast_name(kind), elementwise_name(kind), *(["true_divide"] * (kind == "divide")))(call)


for _name, _binary in _arithmetic.BINARY.items():
    _pair(_name, _binary)


@function("add_n")
def _add_n(*args: Array) -> Array:
    """Add up arrays."""
    total = args[0]
    for array in args[1:]:
        total = _arithmetic.BINARY["add"](total, _arithmetic.matched(total, array))
    return total


@function("clip")
def _clip(data: Array, a_min: float, a_max: float) -> Array:
    """Clip each element to the range from ``a_min`` to ``a_max``."""
    return np.clip(data, _arithmetic.number(a_min, data.dtype), _arithmetic.number(a_max, data.dtype))


@function("where")
def _where(condition: Array, x: Array, y: Array) -> Array:
    """Select from ``x`` where ``condition`` is not zero, else from ``y``. A condition of one axis selects rows."""
    if condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape(-1, *(1 for _ in x.shape[1:]))
    return np.where(condition != 0, x, _arithmetic.matched(x, y))


@function("smooth_l1")
def _smooth_l1(data: Array, scalar: float = 1.0) -> Array:
    """Compute the smooth L1 loss: quadratic near zero, linear elsewhere."""
    size, bend = np.abs(data), 1 / scalar**2
    return np.where(size < bend, 0.5 * scalar**2 * data * data, size - 0.5 * bend).astype(data.dtype)


@function("Cast")
def _cast(data: Array, dtype: Any) -> Array:
    """Cast to another dtype."""
    return data.astype(dtype_of(dtype))


@function("_copy", "BlockGrad", "make_loss", "MakeLoss")
def _identity(data: Array) -> Array:
    """Copy."""
    return data


@function("zeros_like")
def _zeros_like(data: Array) -> Array:
    """Return zeros in the shape and dtype of ``data``."""
    return np.zeros_like(data)


@function("ones_like")
def _ones_like(data: Array) -> Array:
    """Return ones in the shape and dtype of ``data``."""
    return np.ones_like(data)


@function("Activation")
def _activation(data: Array, act_type: str) -> Array:
    """Apply relu, sigmoid, softrelu, softsign or tanh."""
    if act_type not in ("relu", "sigmoid", "softrelu", "softsign", "tanh"):
        raise MXNetValueError(f"act_type must be relu, sigmoid, softrelu, softsign or tanh, got {act_type!r}.")
    return np.asarray(_EXACT[act_type](data)).astype(data.dtype)


@function("LeakyReLU")
def _leaky_relu(data: Array, act_type: str = "leaky", slope: float = 0.25) -> Array:
    """Apply a leaky ReLU or an ELU."""
    if act_type not in ("leaky", "elu"):
        raise MXNetValueError(f"mx.nd.LeakyReLU() does leaky and elu, got {act_type!r}: mx.sym.LeakyReLU does more.")
    below = slope * data if act_type == "leaky" else slope * np.expm1(data)
    return np.where(data > 0, data, below).astype(data.dtype)
