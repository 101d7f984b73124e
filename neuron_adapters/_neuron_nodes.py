"""``NeuronOp`` nodes: what the compiler of tensorflow-neuron left in a SavedModel, read without TensorFlow.

Such a node holds the binary for the hardware and, beside it, the part of the original graph that it was compiled from.
Field numbers are those of TensorFlow's public protocol buffers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from neuron_adapters._neff import Header, read_header
from neuron_adapters._protobuf import WireError, fields, integer, integers, text, view
from neuron_adapters._record import Leaf, cores
from neuron_rt import ArtifactError

OP = "NeuronOp"
#: Protocol buffers are shorter, whoever writes them.
LARGEST = 1 << 31
#: DataType of TensorFlow's that models take and return.
DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
#: Constants with more than this many bytes were taken out of the graphs that some releases of the compiler embedded.
LARGE = 1024


@dataclass(frozen=True)
class NeuronNode:
    """One NeuronOp. Names that begin with an underscore are those of the file."""

    name: str
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    batched: bool
    """Whether dimension 0 of its inputs may vary."""
    header: Header | None
    """Of its binary, None where that is no NEFF."""
    binary: memoryview = field(repr=False)
    graph: memoryview = field(repr=False)
    definition: memoryview = field(repr=False)
    """The whole node."""
    replicas: int | None
    """NCs that auto_multicore spreads the model over; None where nobody has spoken."""
    nc_count: int

    @property
    def erased(self) -> str:
        """The name of a constant whose value the compiler took out of the embedded graph; empty where it is whole."""
        return erased(self.graph)


@dataclass(frozen=True)
class SavedModel:
    """What there is to know about a SavedModel without TensorFlow."""

    tensorflow: str
    tags: tuple[str, ...]
    signatures: dict[str, tuple[tuple[Leaf, ...], tuple[Leaf, ...]]]
    nodes: tuple[NeuronNode, ...]
    size: int

    @property
    def nc_count(self) -> int:
        """NCs that the whole model needs."""
        return max((node.nc_count for node in self.nodes), default=1)

    @property
    def replicas(self) -> int | None:
        """What auto_multicore said."""
        return max((node.replicas for node in self.nodes if node.replicas is not None), default=None)


def load(path: str | os.PathLike[str], *, only_compiled: bool = False) -> SavedModel | None:
    """Read the SavedModel in a directory. ``only_compiled``: None, and at no cost, where there is no NeuronOp in it.
    Raises ArtifactError for one that is damaged, OSError where there is none."""
    file = os.path.join(os.fspath(path), "saved_model.pb")
    with open(file, "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        if size >= LARGEST:
            raise ArtifactError(f"{file} has {size} bytes, and a SavedModel has fewer than {LARGEST}.")
        data = opened.read(size)
    if only_compiled and OP.encode() not in data:
        return None
    try:
        found = loads(memoryview(data))
    except ValueError as error:
        raise ArtifactError(f"{file} is damaged, or no SavedModel: {error}.") from error
    return None if only_compiled and not found.nodes else found


def loads(data: memoryview) -> SavedModel:
    """The same for the bytes of ``saved_model.pb``. Raises ValueError."""
    found = SavedModel("", (), {}, (), len(data))
    for number, value in fields(data):
        if number == 2:
            found = _meta_graph(found, view(value))
    return found


def _meta_graph(found: SavedModel, data: memoryview) -> SavedModel:
    tags, version, signatures, nodes = list(found.tags), found.tensorflow, dict(found.signatures), list(found.nodes)
    for number, value in fields(data):
        if number == 1:
            for inner, said in fields(view(value)):
                if inner == 4:
                    tags.append(text(said))
                elif inner == 5:
                    version = text(said)
        elif number == 2:
            nodes += [read_node(node) for node in _nodes(view(value))]
        elif number == 5:
            key, said = _entry(value)
            signatures[key] = _signature(said)
    return replace(found, tensorflow=version, tags=tuple(tags), signatures=signatures, nodes=tuple(nodes))


def _nodes(graph: memoryview) -> Iterator[memoryview]:
    """The NeuronOps of a graph and of the functions in it."""
    for number, value in fields(graph):
        if number == 1 and _is_neuron(view(value)):
            yield view(value)
        elif number == 2:
            for inner, function in fields(view(value)):
                if inner != 1:
                    continue
                for place, node in fields(view(function)):
                    if place == 3 and _is_neuron(view(node)):
                        yield view(node)


def _is_neuron(node: memoryview) -> bool:
    return any(number == 2 and text(value) == OP for number, value in fields(node))


def read_node(node: memoryview) -> NeuronNode:
    """The NeuronOp in a NodeDef. Raises ValueError."""
    name, attrs = "", {}
    for number, value in fields(node):
        if number == 1:
            name = text(value)
        elif number == 5:
            key, said = _entry(value)
            attrs[key] = said
    binary = _bytes(attrs, "executable")
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
        graph=_bytes(attrs, "graph_def"),
        definition=node,
        replicas=_replicas(attrs),
        nc_count=header.nc_count if header else cores(next((one for one in config[1::-1] if one > 0), 1)),
    )


def _replicas(attrs: dict[str, memoryview]) -> int | None:
    for number, value in fields(attrs.get("_automatic_multicore", memoryview(b""))):
        if number == 3:
            return cores(integer(value))
    return None


def _leaves(attrs: dict[str, memoryview], kind: str) -> tuple[Leaf, ...]:
    names = [text(value) for value in _list(attrs, f"{kind}_names", 2)]
    dtypes = [number for value in _list(attrs, f"{kind}_dtypes", 6) for number in integers(value)]
    shapes = [_shape(view(value)) for value in _list(attrs, f"{kind}_shapes", 7)]
    if not len(names) == len(dtypes) == len(shapes):
        raise ValueError(f"a NeuronOp has {len(names)} {kind}s, {len(dtypes)} dtypes and {len(shapes)} shapes for them")
    return tuple((name, shape, _dtype(one)) for name, shape, one in zip(names, shapes, dtypes))


def _dtype(number: int) -> str:
    return DTYPES.get(number, f"dtype {number}")


def _shape(data: memoryview) -> tuple[int, ...]:
    """-1 for a dimension that may vary."""
    sizes = []
    for number, value in fields(data):
        if number == 2:
            sizes.append(next((integer(size) for inner, size in fields(view(value)) if inner == 1), 0))
    return tuple(sizes)


def _bytes(attrs: dict[str, memoryview], name: str) -> memoryview:
    found = memoryview(b"")
    for number, value in fields(attrs.get(name, found)):
        if number == 2:
            found = view(value)
    return found


def _numbers(attrs: dict[str, memoryview], name: str) -> list[int]:
    return [number for value in _list(attrs, name, 3) for number in integers(value)]


def _list(attrs: dict[str, memoryview], name: str, kind: int) -> Iterator[int | memoryview]:
    """The values of a list attribute."""
    for number, value in fields(attrs.get(name, memoryview(b""))):
        if number == 1:
            yield from (one for inner, one in fields(view(value)) if inner == kind)


def _entry(value: int | memoryview) -> tuple[str, memoryview]:
    """Key and value of an entry of a map."""
    key, found = "", memoryview(b"")
    for number, part in fields(view(value)):
        if number == 1:
            key = text(part)
        elif number == 2:
            found = view(part)
    return key, found


def _signature(data: memoryview) -> tuple[tuple[Leaf, ...], tuple[Leaf, ...]]:
    sides: dict[int, list[Leaf]] = {1: [], 2: []}
    for number, value in fields(data):
        if number in sides:
            name, info = _entry(value)
            dtype = ""
            shape: tuple[int, ...] = ()
            for inner, said in fields(info):
                if inner == 2:
                    dtype = _dtype(integer(said))
                elif inner == 3:
                    shape = _shape(view(said))
            sides[number].append((name, shape, dtype))
    return tuple(sorted(sides[1])), tuple(sorted(sides[2]))


def erased(graph: memoryview) -> str:
    """The name of a constant that has no value any more in a GraphDef; empty where all are whole. Raises WireError.

    A constant without a value is one of zeros, too. But the compiler took out the values of all constants of more than
    1024 bytes or of none: where one such has its value, the others are zeros.
    """
    found = ""
    for number, value in fields(graph):
        if number != 1:
            continue
        name, operator, tensor = "", "", memoryview(b"")
        node = view(value)
        for inner, said in fields(node):
            if inner == 1:
                name = text(said)
            elif inner == 2:
                operator = text(said)
            elif inner == 5:
                key, attr = _entry(said)
                if key == "value":
                    tensor = next((view(one) for place, one in fields(attr) if place == 8), tensor)
        if operator != "Const":
            continue
        if len(node) > LARGE:
            return ""
        found = found or (name if _is_erased(tensor) else "")
    return found


def operators(graph: memoryview) -> dict[str, int]:
    """How many of which operator a GraphDef holds, but for its inputs and constants. Raises WireError."""
    found: dict[str, int] = {}
    for number, value in fields(graph):
        if number == 1:
            name = next((text(said) for inner, said in fields(view(value)) if inner == 2), "")
            if name not in ("Placeholder", "Const", "NoOp", "Identity", "IdentityN"):
                found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


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


__all__ = ["OP", "NeuronNode", "SavedModel", "WireError", "erased", "load", "loads", "operators", "read_node"]
