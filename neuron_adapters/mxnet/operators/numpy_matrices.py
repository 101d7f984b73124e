"""Deep NumPy's factors, solutions and norms of matrices: ``mx.np.linalg`` as exported blocks have it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, axis_of, rank_at_least


def _floats(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """All are of one dtype, float32 or float64."""
    dtype = next((each for each in ins if each is not None), None)
    if dtype not in ("float32", "float64", None):
        raise ValueError(f"it computes with float32 and float64, got {dtype}; add a cast")
    return [each or dtype for each in ins], [dtype] * count


def _square(data: Shape) -> Shape:
    rank_at_least(2, data)
    if data[-1] != data[-2]:
        raise ValueError(f"the last two axes must have one size, got {data}")
    return data


def _factors(_at: Attributes, data: Shape) -> list[Shape]:
    rank_at_least(2, data)
    if data[-2] > data[-1]:
        raise ValueError(f"the last axis must be at least as large as the one before, got {data}")
    return [(*data[:-1], data[-2]), data[:-1], data]


def _solution(_at: Attributes, matrix: Shape, right: Shape) -> Shape:
    columns = right if len(right) != len(matrix) - 1 else (*right, 1)
    if _square(matrix)[:-1] != columns[:-1]:
        raise ValueError(f"a matrix {matrix} cannot be solved for {right}")
    return right


def _pseudo_inverse(_at: Attributes, data: Shape, *_limits: Shape) -> Shape:
    rank_at_least(2, data)
    return (*data[:-2], data[-1], data[-2])


def _tensor_inverse(at: Attributes, data: Shape) -> Shape:
    place = at.integer("ind", 2)
    if not 0 < place < len(data) or math.prod(data[:place]) != math.prod(data[place:]):
        raise ValueError(f"attribute ind ({place}) must part {data} into two of one size")
    return (*data[place:], *data[:place])


def solved_axes(at: Attributes, rank: int) -> list[int]:
    """Return the order of the axes in which a tensor equation is solved."""
    last = [axis_of(axis, rank, "a_axes") for axis in at.integers("a_axes", ())] if at.has("a_axes") else []
    return [axis for axis in range(rank) if axis not in last] + last


def _tensor_solution(at: Attributes, data: Shape, right: Shape) -> Shape:
    shape = tuple(data[axis] for axis in solved_axes(at, len(data)))
    result = shape[len(right) :]
    if shape[: len(right)] != right or math.prod(result) != math.prod(right):
        raise ValueError(f"a tensor {data} cannot be solved for {right}")
    return result


def _beyond(name: str) -> Any:
    def translate(_to: Builder, _at: Attributes, *_data: Tensor) -> Value:
        raise BeyondOnnxError(f"{name} factorises matrices")

    return translate


_VALUES: Callable[..., Any] = lambda _at, data: _square(data)[:-1]
_BOTH: Callable[..., Any] = lambda _at, data: [_square(data)[:-1], data]

for _name, _inputs, _outputs, _shape in (
    ("_npi_cholesky", ("A",), 1, lambda _at, data: _square(data)),
    ("_npi_svd", ("A",), 3, _factors),
    ("_npi_solve", ("A", "B"), 1, _solution),
    ("_npi_eigh", ("A",), 2, _BOTH),
    ("_npi_eig", ("A",), 2, _BOTH),
    ("_npi_eigvalsh", ("A",), 1, _VALUES),
    ("_npi_eigvals", ("A",), 1, _VALUES),
    ("_npi_pinv", ("A", "rcond"), 1, _pseudo_inverse),
    ("_npi_pinv_scalar_rcond", ("A",), 1, _pseudo_inverse),
    ("_npi_tensorinv", ("a",), 1, _tensor_inverse),
    ("_npi_tensorsolve", ("a", "b"), 1, _tensor_solution),
):
    _named = ("output",) if _outputs == 1 else tuple(f"output{_index}" for _index in range(_outputs))
    operator(_name, inputs=_inputs, outputs=_named, shape=_shape, dtypes=_floats)(_beyond(_name))


# -- norms ----------------------------------------------------------------------------------------------------------

#: What the attribute flag says where ``ord`` is no number.
FLAT, FROBENIUS, NUCLEAR = -2, 1, 2


def norm_axes(at: Attributes, rank: int) -> list[int]:
    """Return the axes that a norm is taken over."""
    if not at.has("axis"):
        return list(range(rank))
    return [axis_of(axis, rank) for axis in at.integers("axis")]


def _norm_shape(at: Attributes, data: Shape) -> Shape:
    axes = norm_axes(at, len(data))
    kept = at.flag("keepdims", default=False)
    return tuple(1 if axis in axes else size for axis, size in enumerate(data) if kept or axis not in axes)


@operator("_npi_norm", outputs=("output0",), shape=_norm_shape, dtypes=_floats)
def _norm(to: Builder, at: Attributes, data: Tensor) -> Value:
    axes, flag, order = norm_axes(at, len(data.shape)), at.integer("flag", -1), at.number("ord", 2.0)
    single = len(axes) == 1
    if flag in (FLAT, FROBENIUS) or (single and order == 2):
        value = to.Sqrt(to.reduce("ReduceSum", to.Mul(data, data), axes))
    elif single and order == 1:
        value = to.reduce("ReduceSum", to.Abs(data), axes)
    elif single and abs(order) == math.inf:
        value = to.reduce("ReduceMax" if order > 0 else "ReduceMin", to.Abs(data), axes)
    else:
        raise BeyondOnnxError("a norm of that order is computed by NumPy")
    return to.reshape(value, to.outputs[0].shape)


def _diagonal_places(at: Attributes, data: Shape) -> np.ndarray[Any, Any]:
    places = np.arange(math.prod(data)).reshape(data)
    axes = [axis_of(at.integer(name, default), len(data), name) for name, default in (("axis1", 0), ("axis2", 1))]
    return np.diagonal(places, at.integer("offset", 0), *axes)


@operator("_np_trace", shape=lambda at, data: _diagonal_places(at, data).shape[:-1])
def _trace(to: Builder, at: Attributes, data: Tensor) -> Value:
    places = _diagonal_places(at, data.shape)
    if not places.size:
        return to.constant(np.zeros(places.shape[:-1]), data.dtype)
    numbers = to.Gather(to.reshape(data, [-1]), to.constant(places), axis=0)
    return to.reshape(to.reduce("ReduceSum", numbers, [places.ndim - 1]), to.outputs[0].shape)
