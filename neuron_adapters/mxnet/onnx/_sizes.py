"""Sizes of axes while a model is read: numbers, or sizes that are known only when the graph is bound.

Exported models compute shapes by nodes (Shape, Gather, Concat, then Reshape). MXNet's operators take shapes as
attributes, so such nodes are computed here, on arrays that may hold a ``Size`` in place of a number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Size:
    """A size that is not known yet. ``source``: an input of the model and the axis that has it, where there is one."""

    __slots__ = ("name", "source")

    def __init__(self, name: str = "?", source: tuple[str, int] | None = None) -> None:
        self.name = name
        self.source = source

    def __repr__(self) -> str:
        return self.name


Dim = int | Size
Dims = tuple[Dim, ...]


def array_of_sizes(sizes: Sequence[Any]) -> Array:
    """Return a vector: of int64 where all sizes are numbers, else of objects."""
    array = np.empty(len(sizes), object)
    array[:] = sizes
    return tidy(array)


def tidy(array: Array) -> Array:
    """Return an array of numbers where it holds no Size."""
    if array.dtype == object and not any(isinstance(element, Size) for element in array.reshape(-1)):
        return array.astype(np.int64)
    return array


def is_known(array: Array) -> bool:
    """Whether it is numbers alone."""
    return bool(array.dtype != object)


def _computed(compute: Callable[[Any, Any], Any], neutral: int | None) -> Callable[[Any, Any], Any]:
    """Extend a function of numbers to sizes: with its neutral number on the right a size stays itself."""

    def apply(left: Any, right: Any) -> Any:
        if isinstance(left, Size) and right == neutral:
            return left
        if isinstance(left, Size) or isinstance(right, Size):
            return Size()
        return compute(left, right)

    return apply


def _sum(left: Any, right: Any) -> Any:
    return right if isinstance(right, Size) and left == 0 else _computed(operator.add, 0)(left, right)


def _product(left: Any, right: Any) -> Any:
    return right if isinstance(right, Size) and left == 1 else _computed(operator.mul, 1)(left, right)


def _equal(left: Any, right: Any) -> bool:
    """A size is never negative, and equals itself. Raises LookupError where that does not decide."""
    if isinstance(left, Size) or isinstance(right, Size):
        if left is right:
            return True
        if any(isinstance(side, (int, np.integer)) and side < 0 for side in (left, right)):
            return False
        raise LookupError
    return bool(left == right)


def _quotient(left: Any, right: Any) -> Any:
    return int(left / right)


_ARITHMETIC = {
    "Add": _sum,
    "Sub": _computed(operator.sub, 0),
    "Mul": _product,
    "Div": _computed(_quotient, 1),
}


def compute(op: str, attributes: Mapping[str, Any], arrays: Sequence[Array | None]) -> Array | None:
    """Compute the output of a node of which some inputs hold sizes; None where that is not possible."""
    x, *others = arrays
    if x is None:
        return None
    if op in ("Identity", "Cast"):
        return x
    if op in _ARITHMETIC and others and others[0] is not None:
        return tidy(np.asarray(np.frompyfunc(_ARITHMETIC[op], 2, 1)(_objects(x), _objects(others[0]))))
    if op == "Equal" and others[0] is not None:
        try:
            return np.asarray(np.frompyfunc(_equal, 2, 1)(_objects(x), _objects(others[0]))).astype(bool)
        except LookupError:
            return None
    if op == "Where" and is_known(x) and others[0] is not None and others[1] is not None:
        return tidy(np.where(x, _objects(others[0]), _objects(others[1])))
    return _moved(op, attributes, x, others)


def _moved(op: str, attributes: Mapping[str, Any], x: Array, others: Sequence[Array | None]) -> Array | None:
    """Compute nodes that only move elements."""
    if any(other is not None and not is_known(other) for other in others) and op != "Concat":
        return None
    axis = int(attributes.get("axis", 0))
    if op == "Concat":
        return tidy(np.concatenate([_objects(part) for part in (x, *others) if part is not None], axis))
    if op == "Gather" and others[0] is not None:
        return tidy(np.asarray(np.take(_objects(x), others[0].astype(np.int64), axis)))
    if op == "Slice":
        return tidy(_sliced(x, attributes, others))
    axes = attributes.get("axes")
    if axes is None and others and others[0] is not None:
        axes = others[0].tolist()
    if op == "Squeeze":
        return np.squeeze(x, None if axes is None else tuple(axes))
    if op == "Unsqueeze" and axes is not None:
        return np.expand_dims(x, tuple(axes))
    if op == "Reshape" and axes is not None:
        return x.reshape([int(size) for size in axes])
    return None


def _sliced(x: Array, attributes: Mapping[str, Any], others: Sequence[Array | None]) -> Array:
    lists = [None if array is None else [int(number) for number in array.reshape(-1)] for array in others]
    lists += [None] * (4 - len(lists))
    starts = attributes.get("starts", lists[0]) or []
    ends = attributes.get("ends", lists[1]) or []
    axes = attributes.get("axes", lists[2]) or range(len(starts))
    steps = lists[3] or [1] * len(starts)
    places: list[Any] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        last = None if step < 0 and end < -x.shape[axis] else end
        places[axis] = slice(start, last, step)
    part: Array = x[tuple(places)]
    return part


def _objects(array: Array) -> Array:
    objects: Array = array.astype(object)
    return objects
