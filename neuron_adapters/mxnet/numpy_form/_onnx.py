"""ONNX operators on NumPy arrays, those that move numbers or compute each on its own.

A function takes the inputs, None for one that is left out, and the attributes by keyword.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.operators._builder import NUMBERS

#: An ndarray. NumPy's functions say no more of what they return than that it may be anything.
Array = Any
Function = Callable[..., Any]

FUNCTIONS: dict[str, Function] = {}
_DTYPES = {number: name for name, number in NUMBERS.items()}


def function(*names: str) -> Callable[[Function], Function]:
    """Register an ONNX operator."""

    def add(compute: Function) -> Function:
        FUNCTIONS.update(dict.fromkeys(names, compute))
        return compute

    return add


def whole(array: Array) -> bool:
    """Whether the numbers are integers."""
    return array.dtype.kind in "iu"


# -- each number on its own -----------------------------------------------------------------------------------------

_erf = np.vectorize(math.erf, otypes=["f8"])

FUNCTIONS |= {
    "Abs": np.abs, "Acos": np.arccos, "Acosh": np.arccosh, "Add": np.add, "And": np.logical_and, "Asin": np.arcsin,
    "Asinh": np.arcsinh, "Atan": np.arctan, "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos, "Equal": np.equal,
    "Exp": np.exp, "Floor": np.floor, "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less,
    "LessOrEqual": np.less_equal, "Log": np.log, "Mul": np.multiply, "Neg": np.negative, "Not": np.logical_not,
    "Round": np.rint,
    "Or": np.logical_or, "Sign": np.sign, "Sin": np.sin, "Sqrt": np.sqrt, "Sub": np.subtract, "Tan": np.tan,
    "Tanh": np.tanh, "Where": np.where, "Xor": np.logical_xor,
}  # fmt: skip


#: Those that MXNet computes in float32 of small integers, and NumPy in float16.
_FLOATING = ["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Exp", "Log", "Sin", "Sqrt", "Tan", "Tanh"]


def widened(x: Array) -> Array:
    """Return small integers as float32."""
    return x.astype(np.float32) if x.dtype.kind in "iub" and x.itemsize < 4 else x


FUNCTIONS |= {name: functools.partial(lambda compute, x: compute(widened(x)), FUNCTIONS[name]) for name in _FLOATING}


@function("Einsum")
def _einsum(*arrays: Array, equation: str) -> Array:
    return np.einsum(equation, *arrays, dtype=arrays[0].dtype)


@function("Identity")
def _identity(x: Array) -> Array:
    return x


@function("Cast")
def _cast(x: Array, to: int) -> Array:
    return x.astype(_DTYPES[to])


@function("Div")
def _div(x: Array, y: Array) -> Array:
    """Of integers, towards zero."""
    if not whole(x):
        return np.divide(x, y)
    if not np.all(y):
        raise MXNetError("an integer is divided by zero")
    return np.where((x % y != 0) & ((x < 0) != (y < 0)), x // y + 1, x // y).astype(x.dtype)


@function("Mod")
def _mod(x: Array, y: Array) -> Array:
    """With the divisor's sign; 0 for an integer divisor of 0."""
    return np.mod(x, y)


@function("Pow")
def _pow(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.power(x.astype("f8"), y).astype(x.dtype)
    base, exponent = (array.astype("f4").astype("f8") for array in (x, y))  # MXNet's C++ library has it for floats
    return np.power(base, exponent).astype("f4").astype(x.dtype)


@function("Reciprocal")
def _reciprocal(x: Array) -> Array:
    return np.divide(x.dtype.type(1), x)


@function("Erf")
def _erf_of(x: Array) -> Array:
    return _erf(x).astype(x.dtype)


@function("Max")
def _max(x: Array, *others: Array) -> Array:
    for other in others:
        x = np.maximum(x, other)
    return x


@function("Min")
def _min(x: Array, *others: Array) -> Array:
    for other in others:
        x = np.minimum(x, other)
    return x


@function("Sum")
def _sum(x: Array, *others: Array) -> Array:
    for other in others:
        x = x + other
    return x


@function("Clip")
def _clip(x: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


@function("Relu")
def _relu(x: Array) -> Array:
    return np.maximum(x, x.dtype.type(0))


@function("LeakyRelu")
def _leaky_relu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, x * x.dtype.type(alpha))


@function("PRelu")
def _prelu(x: Array, slope: Array) -> Array:
    return np.where(x > 0, x, x * slope)


@function("Elu")
def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, np.expm1(x) * x.dtype.type(alpha))


@function("Selu")
def _selu(x: Array) -> Array:
    alpha, scale = x.dtype.type(1.6732632423543772), x.dtype.type(1.0507009873554805)
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


@function("Sigmoid")
def _sigmoid(x: Array) -> Array:
    return x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))


@function("Softplus")
def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@function("Softsign")
def _softsign(x: Array) -> Array:
    return x / (x.dtype.type(1) + np.abs(x))


# -- along axes -----------------------------------------------------------------------------------------------------


def _whole_mean(x: Array, **how: Any) -> Array:
    """Of integers, whose sum wraps; the fraction is cut off."""
    total = np.asarray(np.sum(x, dtype=x.dtype, **how))
    return _div(total, np.asarray(x.size // max(total.size, 1)).astype(x.dtype))


_REDUCTIONS: dict[str, Function] = {
    "ReduceL1": lambda x, **how: np.sum(np.abs(x), **how),
    "ReduceL2": lambda x, **how: np.sqrt(np.sum(x * x, **how)),
    "ReduceMax": np.max,
    "ReduceMean": lambda x, **how: np.mean(x, **how) if not whole(x) else _whole_mean(x, **how),
    "ReduceMin": np.min,
    "ReduceProd": lambda x, **how: np.prod(x, **how).astype(x.dtype),
    "ReduceSum": lambda x, **how: np.sum(x, **how).astype(x.dtype),
    "ReduceSumSquare": lambda x, **how: np.sum(x * x, **how),
}
for _name, _reduce in _REDUCTIONS.items():

    @function(_name)
    def _reduced(x: Array, axes: Array, keepdims: int = 1, reduce: Any = _reduce) -> Array:
        return np.asarray(reduce(x, axis=tuple(int(axis) for axis in axes), keepdims=bool(keepdims)))


@function("Softmax")
def _softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


@function("LogSoftmax")
def _log_softmax(x: Array, axis: int) -> Array:
    below = x - np.max(x, axis=axis, keepdims=True)
    return below - np.log(np.sum(np.exp(below), axis=axis, keepdims=True))


@function("ArgMax")
def _argmax(x: Array, axis: int, keepdims: int) -> Array:
    return np.argmax(x, axis=axis, keepdims=bool(keepdims))


@function("ArgMin")
def _argmin(x: Array, axis: int, keepdims: int) -> Array:
    return np.argmin(x, axis=axis, keepdims=bool(keepdims))


@function("CumSum")
def _cumsum(x: Array, axis: Array) -> Array:
    return np.cumsum(x, axis=int(axis), dtype=x.dtype)


@function("TopK")
def _top(x: Array, k: Array, axis: int, largest: int) -> tuple[Array, Array]:
    order = np.argsort(x, axis=axis, kind="stable")
    if largest:  # of equal ones the first comes first
        backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
        order = x.shape[axis] - 1 - np.flip(backwards, axis)
    order = np.take(order, np.arange(int(k[0])), axis=axis)
    return np.take_along_axis(x, order, axis), order


# -- moving numbers -------------------------------------------------------------------------------------------------


@function("Reshape")
def _reshape(x: Array, shape: Array) -> Array:
    return x.reshape([int(size) for size in shape])


@function("Transpose")
def _transpose(x: Array, perm: list[int]) -> Array:
    return x.transpose(perm)


@function("Squeeze")
def _squeeze(x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(int(axis) for axis in axes))


@function("Unsqueeze")
def _unsqueeze(x: Array, axes: Array) -> Array:
    return np.expand_dims(x, tuple(int(axis) for axis in axes))


@function("Concat")
def _concat(*arrays: Array, axis: int) -> Array:
    return np.concatenate(arrays, axis)


@function("Split")
def _split(x: Array, sizes: Array, axis: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis)


@function("Slice")
def _slice(x: Array, begin: Array, end: Array, axis: Array, step: Array) -> Array:
    places: list[Any] = [slice(None)] * x.ndim
    last = int(end[0])
    places[int(axis[0])] = slice(int(begin[0]), None if last < -x.shape[int(axis[0])] else last, int(step[0]))
    return x[tuple(places)]


@function("Expand")
def _expand(x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(size) for size in shape)))


@function("Tile")
def _tile(x: Array, repeats: Array) -> Array:
    return np.tile(x, repeats)


@function("Pad")
def _pad(x: Array, widths: Array, fill: Array | None = None, mode: str = "constant") -> Array:
    pairs = [(int(before), int(after)) for before, after in zip(widths[: x.ndim], widths[x.ndim :])]
    if mode == "constant":
        return np.pad(x, pairs, constant_values=0 if fill is None else fill.item())
    return np.pad(x, pairs, mode="edge" if mode == "edge" else "reflect")


@function("Gather")
def _gather(x: Array, indices: Array, axis: int) -> Array:
    return np.take(x, indices, axis)


@function("GatherElements")
def _gather_elements(x: Array, indices: Array, axis: int) -> Array:
    return np.take_along_axis(x, indices, axis)


@function("GatherND")
def _gather_nd(x: Array, indices: Array, batch_dims: int = 0) -> Array:
    coordinates = tuple(np.moveaxis(indices, -1, 0))
    if not batch_dims:
        return x[coordinates]
    (places,) = coordinates
    return x[np.arange(x.shape[0])[:, None], places]


@function("ScatterND")
def _scatter_nd(x: Array, indices: Array, updates: Array) -> Array:
    result = x.copy()
    result[tuple(np.moveaxis(indices, -1, 0))] = updates
    return result


@function("ScatterElements")
def _scatter_elements(x: Array, indices: Array, updates: Array, axis: int) -> Array:
    result = x.copy()
    np.put_along_axis(result, indices, updates, axis)
    return result


@function("Resize")
def _enlarge(x: Array, _region: None, scales: Array, **_how: Any) -> Array:
    """By whole factors, each number repeated."""
    for axis, scale in enumerate(scales):
        x = np.repeat(x, int(scale), axis)
    return x


@function("SpaceToDepth")
def _space_to_depth(x: Array, blocksize: int) -> Array:
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // blocksize, blocksize, width // blocksize, blocksize)
    return blocks.transpose(0, 3, 5, 1, 2, 4).reshape(batch, -1, height // blocksize, width // blocksize)


@function("DepthToSpace")
def _depth_to_space(x: Array, blocksize: int, mode: str) -> Array:
    assert mode == "DCR"
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, blocksize, blocksize, channels // blocksize**2, height, width)
    return blocks.transpose(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * blocksize, width * blocksize)
