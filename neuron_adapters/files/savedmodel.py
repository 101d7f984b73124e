"""Reads, without TensorFlow, the ``NeuronOp`` nodes that the compiler of tensorflow-neuron wrote into a SavedModel.

Such a node holds the binary for the hardware and, beside it, the part of the original graph that it was compiled from.
Field numbers are those of TensorFlow's public protocol buffers. A byte of the file is read a few times for each level
of messages around it, of which a dozen are read. Nodes, signatures and tensors are counted, since a message of two
bytes becomes an object of a hundred (SPEC F2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import TypeVar

from neuron_adapters.files.bounded_file import read_below
from neuron_adapters.files.neff import Header, read_header
from neuron_adapters.files.printable import damaged, printable
from neuron_adapters.files.protobuf import WireError, each, fields, integer, integers, last, text, view
from neuron_adapters.files.pure_operators import PURE_OPERATORS
from neuron_adapters.files.record import MOST_DIMENSIONS, MOST_TENSORS, Leaf, cores

Collection = TypeVar("Collection", bound=Sized)

OP = "NeuronOp"
#: Every protocol buffer is shorter.
LARGEST = 1 << 31
#: DataType of TensorFlow's that models take and return.
DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
#: Some releases of the compiler removed constants of more than this many bytes from the graphs that they embedded.
LARGE = 1024
#: NeuronOps of a file; its signatures, the attributes of a node, the kinds of operators in a graph.
_MOST_NODES, _MOST_ENTRIES = 1 << 14, 1 << 12
_EMPTY = memoryview(b"")


@dataclass(frozen=True)
class NeuronNode:
    """One NeuronOp. Names that begin with an underscore are those of the file."""

    name: str
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    batched: bool
    """Whether dimension 0 of its inputs may vary."""
    header: Header | None
    """The header of its binary, None where that is not a NEFF."""
    binary: memoryview = field(repr=False)
    graph: memoryview = field(repr=False)
    definition: memoryview = field(repr=False)
    """The whole node."""
    replicas: int | None
    """NCs that auto_multicore spreads the model over; None where it was not called."""
    nc_count: int

    @property
    def erased(self) -> str:
        """The name of a constant whose value the compiler removed from the embedded graph; empty where it is whole."""
        return erased(self.graph)


@dataclass(frozen=True)
class SavedModel:
    """The content of a SavedModel, as far as it is read here."""

    tensorflow: str
    signatures: dict[str, tuple[tuple[Leaf, ...], tuple[Leaf, ...]]]
    nodes: tuple[NeuronNode, ...]

    @property
    def nc_count(self) -> int:
        """NCs that the whole model needs."""
        return max((node.nc_count for node in self.nodes), default=1)

    @property
    def replicas(self) -> int | None:
        """The number that auto_multicore wrote."""
        return max((node.replicas for node in self.nodes if node.replicas is not None), default=None)


def load(path: str | os.PathLike[str], *, only_compiled: bool = False) -> SavedModel | None:
    """Read the SavedModel in a directory. ``only_compiled``: return None, without parsing, where it holds no NeuronOp.
    Raises ArtifactError for a damaged file, OSError for a missing one."""
    file = os.path.join(os.fspath(path), "saved_model.pb")
    data = read_below(file, LARGEST, "a SavedModel")
    if only_compiled and OP.encode() not in data:
        return None
    try:
        model = loads(memoryview(data))
    except ValueError as error:
        raise damaged(f"{file} is damaged, or not a SavedModel: {error}.") from error
    return None if only_compiled and not model.nodes else model


def loads(data: memoryview) -> SavedModel:
    """Read the bytes of ``saved_model.pb``. Raises ValueError."""
    reading = _Reading()
    for graph in each(data, 2):
        reading.meta_graph(view(graph))
    return SavedModel(reading.tensorflow, reading.signatures, tuple(reading.nodes))


class _Reading:
    """Collects what a SavedModel says, graph by graph."""

    def __init__(self) -> None:
        self.tensorflow = ""
        self.signatures: dict[str, tuple[tuple[Leaf, ...], tuple[Leaf, ...]]] = {}
        self.nodes: list[NeuronNode] = []
        self._tensors = 0

    def meta_graph(self, data: memoryview) -> None:
        """Read one more graph. Raises ValueError, also where the bounds are exceeded."""
        for number, value in fields(data):
            if number == 1:
                self.tensorflow = printable(text(last(view(value), 5))) or self.tensorflow
            elif number == 2:
                for definition in _nodes(view(value)):
                    node = read_node(definition)
                    self._count(node.inputs, node.outputs)
                    _limited(self.nodes, _MOST_NODES, "NeuronOps").append(node)
            elif number == 5:
                key, content = _entry(value)
                sides = _signature(content)
                self._count(*sides)
                _limited(self.signatures, _MOST_ENTRIES, "signatures")[printable(key)] = sides

    def _count(self, *sides: Sequence[Leaf]) -> None:
        self._tensors += sum(map(len, sides))
        if self._tensors > MOST_TENSORS:
            raise ValueError(f"it has more than {MOST_TENSORS} inputs and outputs")


def _limited(collection: Collection, most: int, what: str) -> Collection:
    """``collection``, where it has fewer than ``most`` entries. Raises ValueError where it is full."""
    if len(collection) >= most:
        raise ValueError(f"it has more than {most} {what}")
    return collection


def _nodes(graph: memoryview) -> Iterator[memoryview]:
    """The NeuronOps of a graph and of the functions in it."""
    for number, value in fields(graph):
        if number == 1 and _is_neuron(view(value)):
            yield view(value)
        elif number == 2:
            for function in each(view(value), 1):
                for node in each(view(function), 3):
                    if _is_neuron(view(node)):
                        yield view(node)


def _is_neuron(node: memoryview) -> bool:
    return OP in map(text, each(node, 2))


def read_node(node: memoryview) -> NeuronNode:
    """The NeuronOp in a NodeDef. Raises ValueError."""
    name = ""
    attrs: dict[str, memoryview] = {}
    for number, value in fields(node):
        if number == 1:
            name = printable(text(value))
        elif number == 5:
            key, content = _entry(value)
            _limited(attrs, _MOST_ENTRIES, "attributes of a node")[key] = content
    binary = last(attrs.get("executable", _EMPTY), 2)
    try:
        header = read_header(binary)
    except ValueError:
        header = None
    config, axes = _numbers(attrs, "model_config"), _numbers(attrs, "input_batch_axis")
    return NeuronNode(
        name,
        inputs=_leaves(attrs, "input"),
        outputs=_leaves(attrs, "output"),
        batched=0 in axes,
        header=header,
        binary=binary,
        graph=last(attrs.get("graph_def", _EMPTY), 2),
        definition=node,
        replicas=_replicas(attrs),
        nc_count=header.nc_count if header else cores(next((count for count in config[1::-1] if count > 0), 1)),
    )


def _replicas(attrs: dict[str, memoryview]) -> int | None:
    return next((cores(integer(value)) for value in each(attrs.get("_automatic_multicore", _EMPTY), 3)), None)


def _leaves(attrs: dict[str, memoryview], kind: str) -> tuple[Leaf, ...]:
    names = [printable(text(value)) for value in _list(attrs, f"{kind}_names", 2)]
    dtypes = _numbers(attrs, f"{kind}_dtypes", 6)
    shapes = [_shape(view(value)) for value in _list(attrs, f"{kind}_shapes", 7)]
    if not len(names) == len(dtypes) == len(shapes):
        raise ValueError(f"a NeuronOp has {len(names)} {kind}s, {len(dtypes)} dtypes and {len(shapes)} shapes for them")
    return tuple((name, shape, _dtype(dtype)) for name, shape, dtype in zip(names, shapes, dtypes))


def _dtype(number: int) -> str:
    return DTYPES.get(number, f"dtype {number}")


def _shape(data: memoryview) -> tuple[int, ...]:
    """-1 for a dimension that may vary."""
    sizes: list[int] = []
    for dimension in each(data, 2):
        _limited(sizes, MOST_DIMENSIONS, "dimensions of a tensor").append(
            next(map(integer, each(view(dimension), 1)), 0)
        )
    return tuple(sizes)


def _numbers(attrs: dict[str, memoryview], name: str, kind: int = 3) -> list[int]:
    numbers: list[int] = []
    for value in _list(attrs, name, kind):
        numbers += integers(value, MOST_TENSORS - len(numbers))
    return numbers


def _list(attrs: dict[str, memoryview], name: str, kind: int) -> Iterator[int | memoryview]:
    """The values of a list attribute. Raises ValueError for more than MOST_TENSORS."""
    count = 0
    for values in each(attrs.get(name, _EMPTY), 1):
        for value in each(view(values), kind):
            count += 1
            if count > MOST_TENSORS:
                raise ValueError(f"the attribute {name} has more than {MOST_TENSORS} values")
            yield value


def _entry(value: int | memoryview) -> tuple[str, memoryview]:
    """Key and value of an entry of a map."""
    key, content = "", _EMPTY
    for number, part in fields(view(value)):
        if number == 1:
            key = text(part)
        elif number == 2:
            content = view(part)
    return key, content


def _signature(data: memoryview) -> tuple[tuple[Leaf, ...], tuple[Leaf, ...]]:
    sides: dict[int, list[Leaf]] = {1: [], 2: []}
    for number, value in fields(data):
        if number in sides:
            name, info = _entry(value)
            dtype = ""
            shape: tuple[int, ...] = ()
            for inner, content in fields(info):
                if inner == 2:
                    dtype = _dtype(integer(content))
                elif inner == 3:
                    shape = _shape(view(content))
            _limited(sides[number], MOST_TENSORS, "inputs and outputs").append((printable(name), shape, dtype))
    return tuple(sorted(sides[1])), tuple(sorted(sides[2]))


def erased(graph: memoryview) -> str:
    """The name of a constant whose value was removed from a GraphDef; empty where all are whole. Raises WireError.

    A constant of zeros has no value in the file either. But the compiler removed either the values of all constants of
    more than 1024 bytes or none: where one of these has its value, those without are zeros.
    """
    first = ""
    for node in map(view, each(graph, 1)):
        if _operator(node) != "Const":
            continue
        if len(node) > LARGE:
            return ""
        tensors = [last(attr, 8) for key, attr in map(_entry, each(node, 5)) if key == "value"]
        if not first and tensors and _is_erased(tensors[-1]):
            first = printable(text(last(node, 1)))
    return first


def _operator(node: memoryview) -> str:
    return text(last(node, 2))


def operators(graph: memoryview) -> dict[str, int]:
    """How many nodes of each operator a GraphDef holds, except inputs and constants. Raises WireError."""
    counts: dict[str, int] = {}
    for node in each(graph, 1):
        name = printable(_operator(view(node)))
        if name not in ("Placeholder", "Const", "NoOp", "Identity", "IdentityN"):
            count = counts.get(name, 0)
            (counts if count else _limited(counts, _MOST_ENTRIES, "kinds of operators"))[name] = count + 1
    return dict(sorted(counts.items()))


def refused_operator(graph: memoryview) -> str:
    """The first operator of a GraphDef, functions included, that a load refuses (see ``pure_operators``); empty where
    all are accepted. Raises WireError."""
    nodes: list[memoryview] = []
    functions: set[str] = set()
    for number, value in fields(graph):
        if number == 1:
            nodes.append(view(value))
        elif number == 2:  # the library
            for function in map(view, each(view(value), 1)):
                nodes += map(view, each(function, 3))
                functions.update(text(last(view(signature), 1)) for signature in each(function, 1))
    used = map(_operator, nodes)
    return next((printable(name) for name in used if name not in PURE_OPERATORS and name not in functions), "")


_ITEM_SIZES = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 8: 8, 9: 8, 10: 1, 14: 2, 17: 2, 19: 2, 22: 4, 23: 8}


def _is_erased(tensor: memoryview) -> bool:
    size, dtype, valued = 1, 0, False
    for number, value in fields(tensor):
        if number == 1:
            dtype = integer(value)
        elif number == 2:
            for length in _shape(view(value)):
                size *= length
        elif number >= 4:
            valued = valued or not isinstance(value, memoryview) or len(value) > 0
    return not valued and size * _ITEM_SIZES.get(dtype, 0) > LARGE


__all__ = [
    "OP",
    "NeuronNode",
    "SavedModel",
    "WireError",
    "erased",
    "load",
    "loads",
    "operators",
    "read_node",
    "refused_operator",
]
