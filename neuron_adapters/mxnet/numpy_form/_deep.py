"""Deep NumPy's factors of matrices, bits and percentiles on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.numpy_form._linear_algebra import _finite
from neuron_adapters.mxnet.numpy_form._mxnet import _corrected, operator
from neuron_adapters.mxnet.numpy_form._numpy import _accumulated
from neuron_adapters.mxnet.numpy_form._onnx import Array, _div
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators._rules import axis_of
from neuron_adapters.mxnet.operators.arithmetic import scalar_of
from neuron_adapters.mxnet.operators.numpy_matrices import FLAT, FROBENIUS, NUCLEAR, norm_axes, solved_axes
from neuron_adapters.mxnet.operators.numpy_parts import mean_axes


def _factorised(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make LAPACK's errors MXNet's."""

    def compute(*arrays: Array, **how: Any) -> Any:
        try:
            return function(*_finite(*arrays), **how)
        except np.linalg.LinAlgError as error:
            raise MXNetError(f"{error}.") from None

    return compute


def _upright(vectors: Array, axis: int) -> Array:
    """Return signs that make the largest number of each vector along ``axis`` positive."""
    largest = np.argmax(np.abs(vectors), axis=axis, keepdims=True)
    return np.where(np.take_along_axis(vectors, largest, axis) < 0, -1.0, 1.0)


@operator("_npi_cholesky")
def _cholesky(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return [_factorised(np.linalg.cholesky)(data)]


@operator("_npi_svd")
def _svd(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    left, values, right = _factorised(np.linalg.svd)(data, full_matrices=False)
    signs = _upright(right, -1)
    return [left * np.swapaxes(signs, -1, -2), values, right * signs]


@operator("_npi_solve")
def _solve(_at: Attributes, _outs: list[Tensor], matrix: Array, right: Array) -> Sequence[Array]:
    columns = right[..., None] if right.ndim == matrix.ndim - 1 else right
    return [_factorised(np.linalg.solve)(matrix, columns)]


def _triangle(at: Attributes) -> str:
    return at.choice("UPLO", ("L", "U"), "L")


@operator("_npi_eigh")
def _eigh(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    values, vectors = _factorised(np.linalg.eigh)(data, UPLO=_triangle(at))
    return [values, vectors * _upright(vectors, -2)]


@operator("_npi_eigvalsh")
def _eigvalsh(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return [_factorised(np.linalg.eigvalsh)(data, UPLO=_triangle(at))]


def _real(*results: Array) -> Sequence[Array]:
    if any(np.iscomplexobj(result) and np.any(result.imag) for result in results):
        raise MXNetError("the matrix has complex eigenvalues, which MXNet does not compute")
    return [result.real for result in results]


@operator("_npi_eig")
def _eig(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return _real(*_factorised(np.linalg.eig)(data))


@operator("_npi_eigvals")
def _eigvals(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return _real(_factorised(np.linalg.eigvals)(data))


@operator("_npi_pinv")
def _pinv(at: Attributes, _outs: list[Tensor], data: Array, limit: Array) -> Sequence[Array]:
    hermitian = at.flag("hermitian", default=False)
    (matrix,) = _finite(data)
    return [np.linalg.pinv(matrix, _threshold(limit, data), hermitian)]


@operator("_npi_pinv_scalar_rcond")
def _pinv_number(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    hermitian = at.flag("hermitian", default=False)
    (matrix,) = _finite(data)
    return [np.linalg.pinv(matrix, _threshold(at.number("rcond", 1e-15), data), hermitian)]


def _threshold(limit: Any, data: Array) -> Any:
    """Return the limit of singular values: what the data's own type can tell from zero, at least."""
    return np.maximum(np.asarray(limit, "f8"), np.finfo(data.dtype).eps)


@operator("_npi_tensorinv")
def _tensorinv(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return [_factorised(np.linalg.tensorinv)(data, ind=at.integer("ind", 2))]


@operator("_npi_tensorsolve")
def _tensorsolve(at: Attributes, _outs: list[Tensor], data: Array, right: Array) -> Sequence[Array]:
    return [_factorised(np.linalg.tensorsolve)(data.transpose(solved_axes(at, data.ndim)), right)]


@operator("_npi_norm")
def _norm(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    axes, flag = norm_axes(at, data.ndim), at.integer("flag", -1)
    wide = data.astype("f8")
    if flag == FLAT:
        return [np.sqrt(np.sum(wide * wide, axis=tuple(axes), keepdims=True))]
    order: Any = {FROBENIUS: "fro", NUCLEAR: "nuc"}.get(flag, at.number("ord", 2.0))
    if len(axes) == 1:
        return [np.linalg.norm(wide, 2 if isinstance(order, str) else order, axes[0], keepdims=True)]
    if isinstance(order, str) and order == "fro":
        return [np.sqrt(np.sum(wide * wide, axis=tuple(axes), keepdims=True))]
    if order in ("nuc", 2, -2):
        _finite(data)
    return [np.linalg.norm(wide, order, tuple(axes), keepdims=True)]


# -- two numbers ----------------------------------------------------------------------------------------------------


def _ldexp(x: Array, y: Array) -> Array:
    if x.dtype.kind != "f":
        return np.trunc(np.ldexp(x.astype(np.float64), y.astype(np.int64))).astype(x.dtype)
    result: Array = x * np.power(x.dtype.type(2), y)
    return result


def _copysign(x: Array, y: Array) -> Array:
    """Change the sign unless both have the same one, which NaN has none of."""
    return np.where(((x >= 0) & (y >= 0)) | ((x < 0) & (y < 0)), x, -x)


def _register(name: str, function: Callable[..., Array], *, floats: bool) -> None:
    def pair(_at: Attributes, outs: list[Tensor], x: Array, y: Array) -> Sequence[Array]:
        return [function(*(each.astype(outs[0].dtype) if floats else each for each in (x, y)))]

    def number(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
        return [function(x.astype(outs[0].dtype), np.asarray(scalar_of(at, outs[0].dtype)).astype(outs[0].dtype))]

    def swapped(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
        return [function(np.asarray(scalar_of(at, outs[0].dtype)).astype(outs[0].dtype), x.astype(outs[0].dtype))]

    operator(f"_npi_{name}")(pair)
    operator(f"_npi_{name}_scalar")(number)
    if floats:
        operator(f"_npi_r{name}_scalar")(swapped)


_FLOATS: dict[str, Callable[..., Array]] = {"arctan2": np.arctan2, "copysign": _copysign, "ldexp": _ldexp}
_WHOLE: dict[str, Callable[..., Array]] = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor, "lcm": np.lcm,
}  # fmt: skip
for _name, _function in {**_FLOATS, **_WHOLE}.items():
    _register(_name, _function, floats=_name in _FLOATS)


@operator("_npi_bitwise_not")
def _not(_at: Attributes, _outs: list[Tensor], x: Array) -> Sequence[Array]:
    return [np.invert(x)]


# -- orders and means -------------------------------------------------------------------------------------------------


@operator("_npi_average")
def _average(at: Attributes, outs: list[Tensor], data: Array, *weights: Array) -> Sequence[Array]:
    data = data.astype(outs[0].dtype)
    axes = mean_axes(at, data.ndim)
    weight = np.ones_like(data) if not weights else weights[0].astype(data.dtype)
    if weight.ndim == 1 and data.ndim > 1:
        weight = weight.reshape([-1 if axis == axes[0] else 1 for axis in range(data.ndim)])
    weight = np.broadcast_to(weight, data.shape)
    if data.dtype.kind != "f":
        whole = np.sum(weight, axis=tuple(axes), dtype=data.dtype)
        return [_div(np.sum(data * weight, axis=tuple(axes), dtype=data.dtype), whole), whole][: len(outs)]
    total = _corrected(_accumulated(weight), axes)
    return [_corrected(_accumulated(data * weight), axes) / total, total][: len(outs)]


@operator("_npi_percentile")
def _percentile(at: Attributes, outs: list[Tensor], data: Array, *asked: Array) -> Sequence[Array]:
    axes = tuple(axis_of(axis, data.ndim) for axis in at.integers("axis")) if at.has("axis") else None
    ranks: Any = asked[0] if asked else at.number("q_scalar")
    method: Any = at.choice("interpolation", ("linear", "lower", "higher", "midpoint", "nearest"), "linear")
    if not ((np.asarray(ranks) >= 0) & (np.asarray(ranks) <= 100)).all():
        raise MXNetError(f"a percentile is from 0 to 100, got {ranks}")
    kept = at.flag("keepdims", default=False)
    return [np.percentile(data.astype(outs[0].dtype), ranks, axes, method=method, keepdims=kept)]
