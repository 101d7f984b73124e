"""Factors, inverses and determinants on NumPy arrays. LAPACK is asked in float64, which MXNet asks in the array's
own dtype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.numpy_form._mxnet import before, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.linear_algebra import mask


def _finite(*matrices: Array) -> list[Array]:
    """In float64. Raises MXNetError where numbers are not finite: what BLAS and LAPACK make of those is a matter of
    chance."""
    if not all(np.isfinite(matrix).all() for matrix in matrices):
        raise MXNetError("a matrix has NaN or infinities")
    return [matrix.astype("f8") for matrix in matrices]


def _divisible(matrix: Array) -> None:
    """Raise MXNetError where the diagonal has a number by which no float can be divided."""
    if (np.abs(np.diagonal(matrix, 0, -2, -1)) < np.finfo(matrix.dtype).tiny).any():
        raise MXNetError("the matrix is singular: its diagonal has a zero")


def _turned(matrix: Array) -> Array:
    return np.swapaxes(matrix, -1, -2)


@operator("_linalg_potrf")
def _cholesky(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    (matrix,) = _finite(data)
    lower = at.flag("lower", default=True)
    try:
        factor = np.linalg.cholesky(matrix if lower else _turned(matrix))
    except np.linalg.LinAlgError:
        raise MXNetError("the matrix is not positive definite") from None
    return [factor if lower else _turned(factor)]


@operator("_linalg_potri")
def _inverse_of_cholesky(at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    (matrix,) = _finite(data)
    _divisible(data)
    inverse = np.linalg.inv(np.where(mask(at, data.shape[-1]), matrix, 0.0))
    if at.flag("lower", default=True):
        return [_turned(inverse) @ inverse]
    return [inverse @ _turned(inverse)]


@operator("_linalg_inverse")
def _inverse(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    try:
        return [np.linalg.inv(*_finite(data))]
    except np.linalg.LinAlgError:
        raise MXNetError("the matrix is singular") from None


@operator("_linalg_det")
def _determinant(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    return [np.linalg.det(*_finite(data))]


@operator("_linalg_slogdet")
def _log_of_determinant(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    sign, logarithm = np.linalg.slogdet(*_finite(data))
    return [sign, logarithm]


@operator("_linalg_syevd")
def _eigenvectors(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    """A row for each vector, its largest number positive."""
    values, vectors = np.linalg.eigh(*_finite(data))
    rows = _turned(vectors)
    largest = np.argmax(np.abs(rows), axis=-1, keepdims=True)
    return [np.where(np.take_along_axis(rows, largest, -1) < 0, -rows, rows), values]


@operator("_linalg_gelqf")
def _triangle_and_rows(_at: Attributes, _outs: list[Tensor], data: Array) -> Sequence[Array]:
    (matrix,) = _finite(data)
    rows, triangle = np.empty_like(matrix), np.empty((*matrix.shape[:-1], matrix.shape[-2]))
    for batch in np.ndindex(*matrix.shape[:-2]):
        turned, upper = np.linalg.qr(matrix[batch].T)
        rows[batch], triangle[batch] = turned.T, upper.T
    return [rows, triangle]


@before("_linalg_trmm")
def _multiplied(_at: Attributes, triangle: Array, other: Array) -> Sequence[Array]:
    """What lies outside the triangle counts in some places of a block, times an infinity."""
    _finite(triangle, other)
    return [triangle, other]


@operator("_linalg_trsm")
def _solved(at: Attributes, _outs: list[Tensor], triangle: Array, other: Array) -> Sequence[Array]:
    """Row by row, from the one that has a single unknown."""
    _finite(triangle, other)
    _divisible(triangle)
    lower = at.flag("lower", default=True) != at.flag("transpose", default=False)
    matrix = np.where(mask(at, triangle.shape[-1]), triangle, triangle.dtype.type(0))
    right = at.flag("rightside", default=False)
    if at.flag("transpose", default=False) != right:
        matrix = _turned(matrix)
    lower = lower != right
    result = np.array(_turned(other) if right else other) * other.dtype.type(at.number("alpha", 1.0))
    order = range(matrix.shape[-1])
    for place in order if lower else reversed(order):
        known = slice(0, place) if lower else slice(place + 1, None)
        sums = matrix[..., place : place + 1, known] @ result[..., known, :]
        diagonal = matrix[..., place : place + 1, place : place + 1]
        result[..., place : place + 1, :] = (result[..., place : place + 1, :] - sums) / diagonal
    return [_turned(result) if right else result]
