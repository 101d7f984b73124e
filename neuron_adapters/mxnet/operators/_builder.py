"""Collects the ONNX nodes that translations add, as plain Python; ``_onnx`` makes the model of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """An ONNX node. An attribute may be a Subgraph."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]

    def renamed(self, names: Mapping[str, str]) -> OnnxNode:
        """Return the node with other names of values, in its graph, too, which reads values from around it."""
        attributes = {
            key: replace(value, nodes=[node.renamed(names) for node in value.nodes])
            if isinstance(value, Subgraph)
            else value
            for key, value in self.attributes.items()
        }
        ins, outs = ([names.get(name, name) for name in values] for values in (self.inputs, self.outputs))
        return OnnxNode(self.op, ins, outs, attributes)


@dataclass(frozen=True)
class Subgraph:
    """The graph of a loop's iteration. It reads values from around it by their names."""

    nodes: list[OnnxNode]
    constants: dict[str, Array]
    inputs: list[Tensor]
    outputs: list[Tensor]


def count_nodes(nodes: Sequence[OnnxNode]) -> int:
    """Count nodes, those in graphs of nodes included."""
    graphs = [value for node in nodes for value in node.attributes.values() if isinstance(value, Subgraph)]
    return len(nodes) + sum(count_nodes(graph.nodes) for graph in graphs)


@dataclass(frozen=True)
class Drawn:
    """An input that no caller feeds: ``make`` draws it anew for each call."""

    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], Array]


class Builder:
    """Takes ONNX nodes: ``to.Add(x, y)``, attributes by keyword. A Python number among the inputs becomes a constant
    of the dtype of the first value, None an input that is left out."""

    def __init__(self, *, loops: bool = False) -> None:
        """``loops``: whether there may be nodes with graphs of their own, ``Loop``."""
        self.loops = loops
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, Array] = {}
        self.draws: dict[str, Drawn] = {}
        self.outputs: list[Tensor] = []
        """Outputs of the MXNet operator that is being translated; their names are empty."""
        self._prefix = ""
        self._numbers: Iterator[int] = itertools.count(1)
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def turn(self, name: str, outputs: Sequence[Tensor]) -> None:
        """Begin the translation of the MXNet node ``name``, which has these outputs."""
        self._prefix = name
        self.outputs = list(outputs)

    def turn_back(self, outputs: Sequence[Tensor]) -> None:
        """Go on with the translation of a node whose graph has been translated."""
        self.outputs = list(outputs)

    def inner(self) -> Builder:
        """Return a builder for a graph in a node: its values have other names than those around it."""
        inner = Builder(loops=self.loops)
        inner._numbers = self._numbers
        inner.turn(self._prefix, self.outputs)
        return inner

    def add_loop(
        self,
        length: int,
        number: Value,
        states: Sequence[tuple[Value, Tensor, Value]],
        rows: Sequence[Tensor],
        body: Builder,
    ) -> list[Value]:
        """Add a loop of ``length`` iterations whose operators are in ``body``; return its last states, and all rows.

        ``number``: that of the iteration, int64, as the body reads it. ``states``: what each is at first, what the body
        reads, and what it makes of that, which has the same shape and dtype. ``rows``: what is stacked.
        """
        going, goes_on = body.value("bool"), body.value("bool")
        outputs = body._as_outputs([*(replace(tensor, name=after.name) for _first, tensor, after in states), *rows])
        body.nodes.append(OnnxNode("Identity", [going.name], [goes_on.name], {}))
        condition = [Tensor(value.name, "bool", ()) for value in (going, goes_on)]
        graph = Subgraph(
            body.nodes,
            body.constants,
            [Tensor(number.name, "int64", ()), condition[0], *(tensor for _first, tensor, _after in states)],
            [condition[1], *outputs],
        )
        results = [self.value(tensor.dtype) for tensor in outputs]
        first = [self.constant(length), self.constant(1, "bool"), *(value for value, _tensor, _after in states)]
        names = [value.name for value in first]
        self.nodes.append(OnnxNode("Loop", names, [value.name for value in results], {"body": graph}))
        return results

    def _as_outputs(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return values of nodes in place of those that come from elsewhere, or are there twice."""
        free = {name for node in self.nodes for name in node.outputs}
        outputs = []
        for value in values:
            name = value.name if value.name in free else self.Identity(value).name
            free.discard(name)
            outputs.append(replace(value, name=name))
        return outputs

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
        values = [self.value(dtype) for _ in range(outputs)]
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
            self._shared[key] = self.value(dtype)
            self.constants[self._shared[key].name] = array
        return self._shared[key]

    def draw(self, make: Callable[[], Array], shape: Sequence[int], dtype: str) -> Value:
        """Add an input that ``make`` draws anew for each call."""
        value = self.value(dtype)
        self.draws[value.name] = Drawn(tuple(shape), dtype, make)
        return value

    def cast(self, value: Value, dtype: str) -> Value:
        """Cast ``value`` to ``dtype``."""
        if value.dtype == dtype:
            return value
        return Value(self.Cast(value, to=NUMBERS[dtype]).name, dtype)

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """Reshape ``value``; a -1 is computed."""
        if not shape:  # OpenVINO 2026.4 crashes where a product of matrices is reshaped to no axes
            return self.Squeeze(value)
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

    def value(self, dtype: str) -> Value:
        """Return a new value, which no node gives yet."""
        return Value(f"{self._prefix}/{next(self._numbers)}", dtype)
