"""Factors, inverses and determinants of square matrices, and their triangles and diagonals."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, one_dtype, rank_at_least
from neuron_adapters.mxnet.util import is_np_shape


def _wide(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    ins, outs = one_dtype(at, ins, count)
    if any(dtype not in ("float32", "float64", None) for dtype in ins):
        raise ValueError(f"it computes with float32 and float64, got {ins[0]}; add a Cast")
    return ins, outs


def _square(_at: Attributes, data: Shape) -> Shape:
    rank_at_least(2, data)
    if data[-1] != data[-2]:
        raise ValueError(f"the last two axes must have one size, got {data}")
    return data


def _beyond(name: str) -> Any:
    def translate(_to: Builder, _at: Attributes, *_data: Tensor) -> Value:
        raise BeyondOnnxError(f"{name} factorises matrices")

    return translate


def _reduced(at: Attributes, data: Shape) -> Shape:
    return _square(at, data)[:-2] or (1,)


def _numbers(at: Attributes, data: Shape) -> Shape:
    """One number for each matrix; of a single one, without an axis where shapes are NumPy's."""
    return () if is_np_shape() and len(data) == 2 else _reduced(at, data)


def _factors(_at: Attributes, data: Shape) -> list[Shape]:
    rank_at_least(2, data)
    if data[-2] > data[-1]:
        raise ValueError(f"the last axis must be at least as large as the one before, got {data}")
    return [data, (*data[:-1], data[-2])]


for _name in ("potrf", "potri", "inverse"):
    operator(f"_linalg_{_name}", inputs=("A",), shape=_square, dtypes=_wide)(_beyond(f"_linalg_{_name}"))
operator("_linalg_det", inputs=("A",), outputs=("output0",), shape=_numbers, dtypes=_wide)(_beyond("_linalg_det"))
operator("_linalg_slogdet", inputs=("A",), outputs=("output0", "output1"), dtypes=_wide,
         shape=lambda at, data: [_numbers(at, data)] * 2)(_beyond("_linalg_slogdet"))  # fmt: skip
operator("_linalg_syevd", inputs=("A",), outputs=("output0", "output1"), dtypes=_wide,
         shape=lambda at, data: [_square(at, data), data[:-1]])(_beyond("_linalg_syevd"))  # fmt: skip
operator("_linalg_gelqf", inputs=("A",), outputs=("output0", "output1"), dtypes=_wide, shape=_factors)(
    _beyond("_linalg_gelqf")
)


# -- a triangular matrix and another one ----------------------------------------------------------------------------


def _triangular(at: Attributes, triangle: Shape, other: Shape) -> Shape:
    _square(at, triangle)
    summed = other[-1 if at.flag("rightside", default=False) else -2] if len(other) == len(triangle) else 0
    if triangle[:-2] != other[:-2] or triangle[-1] != summed:
        raise ValueError(f"a triangle {triangle} cannot be multiplied with {other}")
    return other


def mask(at: Attributes, size: int) -> Array:
    """Return which numbers of a matrix belong to its triangle."""
    full = np.ones((size, size), bool)
    return np.tril(full) if at.flag("lower", default=True) else np.triu(full)


@operator("_linalg_trmm", inputs=("A", "B"), shape=_triangular, dtypes=_wide)
def _multiplied(to: Builder, at: Attributes, triangle: Tensor, other: Tensor) -> Value:
    rank, size = len(triangle.shape), triangle.shape[-1]
    whole: Value = to.Where(to.constant(mask(at, size), "bool"), triangle, to.constant(0.0, triangle.dtype))
    if at.flag("transpose", default=False):
        whole = to.swap(whole, rank, -1, -2)
    pair = (other, whole) if at.flag("rightside", default=False) else (whole, other)
    return to.Mul(to.MatMul(*pair), at.number("alpha", 1.0))


operator("_linalg_trsm", inputs=("A", "B"), shape=_triangular, dtypes=_wide)(_beyond("_linalg_trsm"))


# -- diagonals and triangles ----------------------------------------------------------------------------------------


def _diagonal_places(at: Attributes, size: int) -> Array:
    """Return where the numbers of a diagonal are in a flat matrix."""
    offset = at.integer("offset", 0)
    places = np.arange(size - abs(offset))
    return (places + max(-offset, 0)) * size + places + max(offset, 0)


def _triangle_places(at: Attributes, size: int) -> Array:
    """Return where the numbers of a triangle, beyond the offset, are in a flat matrix: row by row, of the upper one
    column by column."""
    offset = at.integer("offset", 0)
    rows, columns = np.tril_indices(size - abs(offset))
    rows = rows + abs(offset)
    if offset > 0 or (offset == 0 and not at.flag("lower", default=True)):
        rows, columns = columns, rows
    return rows * size + columns


def _extracted(places: Any, count: Any) -> dict[str, Any]:
    def shape(at: Attributes, data: Shape) -> Shape:
        left = _square(at, data)[-1] - abs(at.integer("offset", 0))
        if left < 1:
            raise ValueError(f"attribute offset must be less than {data[-1]} either way, got {at.integer('offset', 0)}")
        return (*data[:-2], count(left))

    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        flat = to.reshape(data, [*data.shape[:-2], data.shape[-1] ** 2])
        return to.Gather(flat, to.constant(places(at, data.shape[-1])), axis=len(data.shape) - 2)

    return {"shape": shape, "translate": translate}


def _matrix_rules(places: Any, size: Any) -> dict[str, Any]:
    def shape(at: Attributes, data: Shape) -> Shape:
        rank_at_least(1, data)
        whole = size(data[-1]) + abs(at.integer("offset", 0))
        return (*data[:-1], whole, whole)

    def translate(to: Builder, at: Attributes, data: Tensor) -> Value:
        whole = to.outputs[0].shape[-1]
        sources = np.full(whole * whole, data.shape[-1])  # the zero behind the data
        sources[places(at, whole)] = np.arange(data.shape[-1])
        zero = to.constant(np.zeros((*data.shape[:-1], 1)), data.dtype)
        axis = len(data.shape) - 1
        return to.reshape(
            to.Gather(to.Concat(data, zero, axis=axis), to.constant(sources), axis=axis), to.outputs[0].shape
        )

    return {"shape": shape, "translate": translate}


def _rows(count: int) -> int:
    """Return the size of the matrix whose triangle has ``count`` numbers."""
    rows = int(0.5 + (np.sqrt(8 * count + 1) - 1) * 0.5)
    if rows * (rows + 1) // 2 != count:
        raise ValueError(f"{count} numbers are no triangle of a matrix")
    return rows


for _name, _how in {
    "extractdiag": _extracted(_diagonal_places, lambda left: left),
    "extracttrian": _extracted(_triangle_places, lambda left: left * (left + 1) // 2),
    "makediag": _matrix_rules(_diagonal_places, lambda count: count),
    "maketrian": _matrix_rules(_triangle_places, _rows),
}.items():
    operator(f"_linalg_{_name}", inputs=("A",), shape=_how["shape"], dtypes=_wide)(_how["translate"])


@operator("_linalg_sumlogdiag", inputs=("A",), shape=_reduced, dtypes=_wide)
def _sum_of_logarithms(to: Builder, at: Attributes, data: Tensor) -> Value:
    size, batch = data.shape[-1], prod(data.shape[:-2])
    flat = to.reshape(data, [batch, size * size])
    diagonal = to.Gather(flat, to.constant(_diagonal_places(Attributes({}), size)), axis=1)
    return to.reshape(to.reduce("ReduceSum", to.Log(diagonal), [1]), _reduced(at, data.shape))
