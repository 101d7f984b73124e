"""Collects the ONNX nodes that translations add, as plain Python; ``_onnx`` makes the model of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: ONNX's number for each dtype that MXNet has.
NUMBERS = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip

_TO_BOOL = {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor"}
_TO_INT64 = {"ArgMax", "ArgMin", "NonMaxSuppression"}
_LAST = (1 << 63) - 1


@dataclass(frozen=True)
class Value:
    """A value of the ONNX graph."""

    name: str
    dtype: str


@dataclass(frozen=True)
class Tensor(Value):
    """An input or output of the MXNet operator, whose shape is known."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class OnnxNode:
    """An ONNX node."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """An input that no caller feeds: ``make`` draws it anew for each call."""

    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], Array]


class Builder:
    """Takes ONNX nodes: ``to.Add(x, y)``, attributes by keyword. A Python number among the inputs becomes a constant
    of the dtype of the first value, None an input that is left out."""

    def __init__(self) -> None:
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, Array] = {}
        self.draws: dict[str, Drawn] = {}
        self.outputs: list[Tensor] = []
        """Outputs of the MXNet operator that is being translated; their names are empty."""
        self._prefix = ""
        self._count = 0
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def turn(self, name: str, outputs: Sequence[Tensor]) -> None:
        """Begin the translation of the MXNet node ``name``, which has these outputs."""
        self._prefix = name
        self.outputs = list(outputs)

    def turn_back(self, outputs: Sequence[Tensor]) -> None:
        """Go on with the translation of a node whose graph has been translated."""
        self.outputs = list(outputs)

    def __getattr__(self, op: str) -> Callable[..., Value]:
        if not op[0].isupper():
            raise AttributeError(op)
        return lambda *inputs, **attributes: self.node(op, 1, *inputs, **attributes)[0]

    def node(self, op: str, outputs: int, *inputs: Value | float | None, **attributes: Any) -> list[Value]:
        """Add a node. Its outputs have the dtype of the first input."""
        dtype = next(value.dtype for value in inputs if isinstance(value, Value))
        taken = [
            value if value is None or isinstance(value, Value) else self.constant(value, dtype) for value in inputs
        ]
        if op in _TO_BOOL:
            dtype = "bool"
        elif op in _TO_INT64:
            dtype = "int64"
        elif op == "Where":
            dtype = taken[1].dtype  # type: ignore[union-attr]
        elif op == "OneHot":
            dtype = taken[2].dtype  # type: ignore[union-attr]
        values = [self._value(dtype) for _ in range(outputs)]
        names = ["" if value is None else value.name for value in taken]
        while not names[-1]:
            del names[-1]
        self.nodes.append(OnnxNode(op, names, [value.name for value in values], attributes))
        return values

    def constant(self, value: Any, dtype: str = "int64") -> Value:
        """Add a constant. Equal constants are added once."""
        with np.errstate(all="ignore"):  # what an integer type does not hold wraps
            array = np.ascontiguousarray(np.asarray(value).astype(dtype)).reshape(np.shape(value))
        key = (dtype, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self._value(dtype)
            self.constants[self._shared[key].name] = array
        return self._shared[key]

    def draw(self, make: Callable[[], Array], shape: Sequence[int], dtype: str) -> Value:
        """Add an input that ``make`` draws anew for each call."""
        value = self._value(dtype)
        self.draws[value.name] = Drawn(tuple(shape), dtype, make)
        return value

    def cast(self, value: Value, dtype: str) -> Value:
        """Cast ``value`` to ``dtype``."""
        if value.dtype == dtype:
            return value
        return Value(self.Cast(value, to=NUMBERS[dtype]).name, dtype)

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """Reshape ``value``; a -1 is computed."""
        return self.Reshape(value, self.constant(list(shape)))

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """Permute the axes of ``value``."""
        return value if list(order) == list(range(len(order))) else self.Transpose(value, perm=list(order))

    def swap(self, value: Value, rank: int, first: int, second: int) -> Value:
        """Swap two axes of ``value``, which has ``rank`` of them."""
        order = list(range(rank))
        order[first], order[second] = order[second], order[first]
        return self.transpose(value, order)

    def slice(self, value: Value, axis: int, begin: int, end: int | None = None, step: int = 1) -> Value:
        """Slice ``value`` along one axis; without ``end``, to the last element in the direction of ``step``."""
        last = end if end is not None else (_LAST if step > 0 else -_LAST)
        return self.Slice(value, *(self.constant([number]) for number in (begin, last, axis, step)))

    def at(self, value: Value, axis: int, index: int) -> Value:
        """Select the element at ``index`` along an axis, which is removed."""
        return self.Gather(value, self.constant(index), axis=axis)

    def split(self, value: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
        """Split ``value`` along an axis into parts of ``sizes``."""
        if len(sizes) == 1:
            return [value]
        return self.node("Split", len(sizes), value, self.constant(list(sizes)), axis=axis)

    def squeeze(self, value: Value, *axes: int) -> Value:
        """Remove ``axes``, of size 1."""
        return self.Squeeze(value, self.constant(list(axes)))

    def unsqueeze(self, value: Value, *axes: int) -> Value:
        """Insert axes of size 1 at those positions of the result."""
        return self.Unsqueeze(value, self.constant(list(axes)))

    def expand(self, value: Value, shape: Sequence[int]) -> Value:
        """Broadcast ``value`` to ``shape``."""
        return self.Expand(value, self.constant(list(shape)))

    def reduce(self, op: str, value: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        """Reduce over ``axes`` by ``op``, as ONNX calls it ("ReduceMean"); over none of them, return ``value``."""
        if not axes:
            return value
        return self.node(op, 1, value, self.constant(list(axes)), keepdims=int(keep))[0]

    def top(self, value: Value, k: int, axis: int, *, largest: bool) -> tuple[Value, Value]:
        """Return values and int64 indices of the first ``k`` in order. Equal values come in any order."""
        values, indices = self.node("TopK", 2, value, self.constant([k]), axis=axis, largest=int(largest))
        return values, Value(indices.name, "int64")

    def _value(self, dtype: str) -> Value:
        self._count += 1
        return Value(f"{self._prefix}/{self._count}", dtype)
