"""Symbol files: the JSON that graphs are saved as, of every version of MXNet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neuron_adapters.files import bounded_json
from neuron_adapters.mxnet._graph import Entry, Node, count_outputs, walk, written_inputs
from neuron_adapters.mxnet._upgrade_json import VERSION, upgrade
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.util import is_np_shape

#: The version of files that name none: 0.8.
_UNVERSIONED = 800
_MOST_NESTED = 16
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def loads(text: str | bytes) -> list[Entry]:
    """The heads of the graph in a symbol file, upgraded to what MXNet 1.9 would make of it.

    Reads the files of every version. Raises FormatError where the text is not a symbol file: not JSON, a field of the
    wrong type, an input that is not an earlier node, nesting too deep, a text that is not Unicode.
    """
    try:
        # Not strict: MXNet writes control characters as they are.
        graph = bounded_json.loads(text, strict=False)
    except ValueError as error:
        raise FormatError(f"this is not a symbol file: it is not JSON ({error}).") from error
    return _read_graph(graph, 0)


def dumps(heads: Sequence[Entry]) -> str:
    """Format a graph as a symbol file, to the byte as MXNet 1.9.1 does.

    Control characters other than tab and line breaks stay as they are, as there; unlike there, quotes in the names of
    attributes are escaped, so that the file can be read.
    """
    fields = _graph_fields(heads, "  ")
    semantics = '"is_np_shape": ["int", 1], ' if is_np_shape() else ""
    return _object([*fields, ("attrs", f'{{{semantics}"mxnet_version": ["int", {VERSION}]}}')], "")


def _read_graph(graph: Any, depth: int) -> list[Entry]:
    if depth > _MOST_NESTED:
        raise FormatError(f"this symbol file has graphs in graphs in graphs, more than {_MOST_NESTED} deep.")
    _check(isinstance(graph, dict), "the graph", "an object with nodes and heads", graph)
    rows = graph.get("nodes")
    _check(isinstance(rows, list), "nodes", "a list", rows)
    nodes: list[Node] = []
    for row in rows:
        nodes.append(_read_node(row, nodes, depth))
    heads = graph.get("heads")
    _check(isinstance(heads, list) and heads, "heads", "a list of outputs", heads)
    entries = [_read_entry(head, nodes, "heads") for head in heads]
    version = _read_version(graph.get("attrs"))
    if depth == 0:
        upgrade(nodes, version)
    return entries


def _read_node(row: Any, before: Sequence[Node], depth: int) -> Node:
    where = f"nodes[{len(before)}]"
    _check(isinstance(row, dict), where, "an object", row)
    op, name = row.get("op"), row.get("name")
    _check(isinstance(op, str), f"{where}.op", "a string", op)
    _check(isinstance(name, str), f"{where}.name", "a string", name)
    _check(_is_unicode(op) and _is_unicode(name), where, "in Unicode", name)
    attrs: dict[str, str] = {}
    for key, attributes in row.items():
        if key in ("param", "attr", "attrs"):
            _check(isinstance(attributes, dict), f"{where}.{key}", "an object of strings", attributes)
            for field, value in attributes.items():
                _check(isinstance(value, str), f"{where}.{key}.{field}", "a string", value)
                _check(_is_unicode(field) and _is_unicode(value), f"{where}.{key}.{field}", "in Unicode", value)
            attrs.update(attributes)
    inputs = row.get("inputs")
    _check(isinstance(inputs, list), f"{where}.inputs", "a list", inputs)
    _check(op != "null" or not inputs, f"{where}.inputs", "none, as it is a variable", inputs)
    subgraphs = row.get("subgraphs", [])
    _check(isinstance(subgraphs, list), f"{where}.subgraphs", "a list of graphs", subgraphs)
    return Node(
        op,
        name,
        attrs,
        [_read_entry(entry, before, f"{where}.inputs") for entry in inputs],
        [_read_graph(part, depth + 1) for part in subgraphs],
    )


def _read_entry(row: Any, nodes: Sequence[Node], where: str) -> Entry:
    shaped = isinstance(row, list) and len(row) in (2, 3) and all(type(number) is int for number in row)
    _check(shaped, where, "[node, output] or [node, output, version]", row)
    node, index = row[:2]
    _check(0 <= node < len(nodes), where, f"a node from 0 to {len(nodes) - 1}, since inputs come first", row)
    # No operator has more outputs; how many it has is known only when its attributes are read.
    _check(0 <= index < (1 if nodes[node].op == "null" else 2**16), where, "an output that can be", row)
    return Entry(nodes[node], index)


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates, which JSON can say and no file can hold."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _read_version(attrs: Any) -> int:
    if attrs is None or (isinstance(attrs, dict) and "mxnet_version" not in attrs):
        return _UNVERSIONED
    version: Any = attrs.get("mxnet_version") if isinstance(attrs, dict) else attrs
    shaped = isinstance(version, list) and len(version) == 2 and version[0] == "int" and type(version[1]) is int
    _check(shaped, "attrs.mxnet_version", '["int", NUMBER]', version)
    return int(version[1])


def _check(right: Any, where: str, expected: str, got: Any) -> None:
    if not right:
        shown = repr(got)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise FormatError(f"this symbol file is damaged: {where} must be {expected}, got {shown}.")


def _graph_fields(heads: Sequence[Entry], indent: str, *, counted: bool = True) -> list[tuple[str, str]]:
    """Format a graph. ``counted``: whether writes are."""
    nodes = walk(heads)
    number = {id(node): index for index, node in enumerate(nodes)}
    writes: dict[int, int] = {}
    rows, first_outputs = [], [0]
    for node in nodes:
        for index in written_inputs(node) if counted else ():
            variable = id(node.inputs[index].node)
            writes[variable] = writes.get(variable, 0) + 1
        inputs = [f"[{number[id(source)]}, {index}, {writes.get(id(source), 0)}]" for source, index in node.inputs]
        rows.append(_node(node, inputs, indent + "  "))
        first_outputs.append(first_outputs[-1] + count_outputs(node))
    variables = [str(index) for index, node in enumerate(nodes) if node.op == "null"]
    # An operator's output is written once; a state is what all writes have made of it.
    ends = [
        f"[{number[id(node)]}, {index}, {writes.get(id(node), 0) if node.op == 'null' else 0}]" for node, index in heads
    ]
    return [
        ("nodes", _lines("[", rows, "]", indent)),
        ("arg_nodes", _list(variables, indent)),
        ("node_row_ptr", _list(map(str, first_outputs), indent)),
        ("heads", _list(ends, indent)),
    ]


def _node(node: Node, inputs: list[str], indent: str) -> str:
    inner = indent + "  "
    fields = [("op", _text(node.op)), ("name", _text(node.name))]
    if node.attrs:
        fields.append(("attrs", _texts(node.attrs, inner)))
    fields.append(("inputs", _list(inputs, inner)))
    if node.subgraphs:
        deeper = inner + "    "
        counted = not node.op.startswith("_sg_")  # MXNet's fusion counts no writes
        graphs = [_object(_graph_fields(heads, deeper, counted=counted), inner + "  ") for heads in node.subgraphs]
        fields.append(("subgraphs", _lines("[", graphs, "]", inner)))
    return _object(fields, indent)


def _texts(pairs: Mapping[str, str], indent: str) -> str:
    fields = [f"{_text(key)}: {_text(value)}" for key, value in sorted(pairs.items())]
    return _lines("{", fields, "}", indent) if len(fields) > 1 else f"{{{fields[0]}}}"


def _object(fields: Iterable[tuple[str, str]], indent: str) -> str:
    return _lines("{", [f'"{key}": {value}' for key, value in fields], "}", indent)


def _list(items: Iterable[str], indent: str) -> str:
    """Format a list on one line, unless it is long."""
    listed = list(items)
    return _lines("[", listed, "]", indent) if len(listed) > 10 else f"[{', '.join(listed)}]"


def _lines(opening: str, items: Sequence[str], closing: str, indent: str) -> str:
    return f"{opening}\n{indent}  " + f", \n{indent}  ".join(items) + f"\n{indent}{closing}"


def _text(value: str) -> str:
    return f'"{value.translate(_ESCAPES)}"'
