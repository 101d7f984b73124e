"""Reads the compiled nodes and their binaries in MXNet checkpoints, without MXNet and without reading the weights.

The symbol file is parsed once, and each binary is hashed once, however many nodes name it. Each text about shapes is
parsed once as well (SPEC F2).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from neuron_adapters.files import bounded_json
from neuron_adapters.files.bounded_file import check_regular, read_below
from neuron_adapters.files.mxnet_params import Head, Reader
from neuron_adapters.files.neff import Header, read_header
from neuron_adapters.files.printable import LONGEST, damaged, one_line, printable
from neuron_adapters.files.record import MOST_TENSORS, Leaf, cores

OP = "_neuron_subgraph_op"
#: The attribute that says what a compiled node takes.
INPUTS = "__model_inputmap__"
SYMBOL, PARAMS = "-symbol.json", re.compile(r"-\d{4}\.params$")
_CORES = ("__model_opt_neuroncore__", "__subgraph_opt_neuroncore__")
_LARGEST_SYMBOL, _LARGEST_MAP, _LARGEST_NAME = 64 << 20, 1 << 16, 1 << 16
_MOST_DIMENSIONS = 32
#: Python's literals except long ones, repeated signs, and those that Python warns of. Each character begins at most one
#: alternative, so matching takes linear time.
_LITERAL = re.compile(r"""(?:[][{}(),:\s]|-?[0-9]{1,18}(?![\w.])|'[^'"\\\n]*'|"[^'"\\\n]*")*""")


@dataclass(frozen=True)
class Part:
    """One compiled node."""

    name: str
    nc_count: int
    inputs: tuple[Leaf, ...]
    operators: tuple[str, ...]
    """The operators of the original part that it holds."""
    header: Header | None
    """The header of its binary, None where it has no binary or that is not a NEFF."""
    size: int


@dataclass(frozen=True)
class Checkpoint:
    """A symbol file, and its weights where they are there."""

    mxnet: str
    parts: tuple[Part, ...]
    outputs: tuple[Leaf, ...]
    size: int


def prefix_of(path: str) -> str | None:
    """The prefix of the checkpoint that a path names, None where it does not name one."""
    prefix = path.removesuffix(SYMBOL) if path.endswith(SYMBOL) else PARAMS.sub("", path)
    return prefix if os.path.isfile(prefix + SYMBOL) else None


def load(prefix: str) -> Checkpoint:
    """Read ``PREFIX-symbol.json`` and, of the ``PREFIX-NNNN.params`` beside it, the one with the highest number. Raises
    ArtifactError for what is damaged."""
    file = prefix + SYMBOL
    text = read_below(file, _LARGEST_SYMBOL, "a symbol file")
    size = len(text)
    folder, name = os.path.split(prefix)
    weights = sorted(
        file_name
        for file_name in os.listdir(folder or ".")
        if file_name.startswith(f"{name}-") and PARAMS.fullmatch(file_name[len(name) :])
    )
    params = os.path.join(folder, weights[-1]) if weights else ""
    if params:
        check_regular(params)
    try:
        graph = bounded_json.loads(text, strict=False)
        if params:
            with open(params, "rb") as opened:
                size += os.fstat(opened.fileno()).st_size
                parts = _parts(graph, read_arrays(opened), opened)
        else:
            parts = _parts(graph, {}, None)
        outputs, version = _outputs(graph), _version(graph)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise damaged(f"{file}, or its weights, is damaged, or not a checkpoint: {one_line(error)}.") from error
    return Checkpoint(version, parts, outputs, size)


def read_arrays(file: BinaryIO) -> dict[str, tuple[tuple[int, ...], str, int, int]]:
    """Read shape, dtype, offset and size in bytes of each array in a params file, by name. The data are skipped.
    Raises ValueError."""
    reader = Reader(file, os.fstat(file.fileno()).st_size, longest_name=_LARGEST_NAME, decoding="backslashreplace")

    def step_over(head: Head) -> tuple[tuple[int, ...], str, int, int]:
        reader.skip(head.size)
        return (0,) if head.shape is None else head.shape, head.dtype, head.at, head.size

    arrays, names = reader.read(step_over)
    return dict(zip(names or map(str, range(len(arrays))), arrays))


def _parts(graph: Any, arrays: dict[str, Any], file: BinaryIO | None) -> tuple[Part, ...]:
    headers: dict[str, Header | None] = {}
    parts = []
    for node in graph["nodes"]:
        if node["op"] != OP:
            continue
        attrs, binary = node.get("attrs", {}), f"arg:{node['name']}_neuronbin"
        _shape, _dtype, at, size = arrays.get(binary, ((), "", 0, 0))
        if file is not None and size and binary not in headers:
            headers[binary] = _header(file, at, size)
        counts = [cores(bounded_json.whole(attrs[key])) for key in _CORES if key in attrs]
        operators = sorted(
            printable(inner["op"])
            for part in node.get("subgraphs", ())
            for inner in part["nodes"]
            if inner["op"] != "null"
        )
        inputs = tuple((printable(name), *tensor) for name, tensor in input_map(str(attrs.get(INPUTS, ""))).items())
        parts.append(
            Part(printable(node["name"]), max(counts, default=1), inputs, tuple(operators), headers.get(binary), size)
        )
    return tuple(parts)


def _header(file: BinaryIO, at: int, size: int) -> Header | None:
    file.seek(at)
    try:
        return read_header(file.read(size))
    except ValueError:
        return None


@functools.lru_cache(maxsize=16)
def input_map(text: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype by name, of ``{'data':[[[1,28,28]],'float32','data0']}``; empty for any other text."""
    try:
        return {str(name): (_sizes(tensor[0][0]), printable(tensor[1])) for name, tensor in literal(text).items()}
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):
        return {}


def literal(text: str) -> Any:
    """Read a Python literal of lists, tuples, dicts, whole numbers and plain texts. Raises ValueError for any
    other, and for more than 64 KiB, since each character takes some hundred bytes while it is parsed."""
    if len(text) <= _LARGEST_MAP and _LITERAL.fullmatch(text):
        with contextlib.suppress(SyntaxError, TypeError, MemoryError, RecursionError):
            return ast.literal_eval(text.strip())
    raise ValueError("it is not a plain literal")


def _sizes(raw: Any) -> tuple[int, ...]:
    """``raw`` as a shape. Raises ValueError where it is not one."""
    if not isinstance(raw, (list, tuple)) or len(raw) > _MOST_DIMENSIONS:
        raise ValueError("it is not a shape")
    return tuple(map(bounded_json.whole, raw))


def _outputs(graph: Any) -> tuple[Leaf, ...]:
    """The outputs. The shapes of a node with several outputs are parsed once."""
    heads, shapes, outputs = graph["heads"], {}, []
    if len(heads) > MOST_TENSORS:
        raise ValueError(f"it has {len(heads)} outputs")
    for head in heads:
        number = head[0]
        node = graph["nodes"][number]
        if number not in shapes:
            try:
                shapes[number] = bounded_json.loads(node["attrs"]["__ext_shape__"])
            except (ValueError, TypeError, KeyError, AttributeError):
                shapes[number] = None
        try:
            shape = _sizes(shapes[number][head[1]])
        except (ValueError, TypeError, KeyError, IndexError):
            shape = ()
        outputs.append((printable(f"{printable(node['name'])}_output", 2 * LONGEST), shape, ""))
    return tuple(outputs)


def _version(graph: Any) -> str:
    version = graph.get("attrs", {}).get("mxnet_version", ["int", 0])[1]
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}" if type(version) is int and version > 0 else ""
