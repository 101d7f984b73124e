"""``mx.viz``: a graph as a table, and as a drawing."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet._graph import Entry, Node, walk, written_inputs
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["plot_network", "print_summary"]

__getattr__: Missing = missing_names("mx.viz")

Shapes = Mapping[str, Sequence[int]] | None
#: Attributes that a drawing shows, of operators that have any.
_SHOWN = {
    "Convolution": ("kernel", "stride", "num_filter"), "Deconvolution": ("kernel", "stride", "num_filter"),
    "FullyConnected": ("num_hidden",), "Activation": ("act_type",), "LeakyReLU": ("act_type",),
    "Pooling": ("pool_type", "kernel", "stride"),
}  # fmt: skip
_COLOURS = {
    "Convolution": "#fb8072", "Deconvolution": "#fb8072", "FullyConnected": "#fb8072", "BatchNorm": "#bebada",
    "Activation": "#ffffb3", "LeakyReLU": "#ffffb3", "Pooling": "#80b1d3", "Concat": "#fdb462", "Flatten": "#fdb462",
    "Reshape": "#fdb462", "null": "#8dd3c7",
}  # fmt: skip


def _shapes_of(symbol: Symbol, shape: Shapes) -> dict[Entry, tuple[int, ...]]:
    """Return the shapes of all values; none without ``shape``. Raises MXNetValueError where they do not follow."""
    if shape is None:
        return {}
    internals = symbol.get_internals()
    inferred = internals.infer_shape(**shape)[1]
    if inferred is None:
        raise MXNetValueError(f"the shapes of all values do not follow from {dict(shape)}: name all inputs.")
    return dict(zip(internals._entries, inferred))


def _is_input(node: Node, shape: Shapes) -> bool:
    """Whether a variable is an input, and not a weight of the operator that takes it."""
    return node.name in shape if shape else node.name == "data"


def _require_symbol(symbol: Any, function: str) -> None:
    if not isinstance(symbol, Symbol):
        raise TypeError(f"{function}() takes a Symbol, got {type(symbol).__name__}.")


def print_summary(
    symbol: Symbol, shape: Shapes = None, line_length: int = 120, positions: Sequence[float] = (0.44, 0.64, 0.74, 1.0)
) -> None:
    """Print a row for each operator: its name and kind, the shape of its first output without the batch, how many
    numbers its weights have, and what it takes. Shapes and numbers are those that follow from ``shape``, the inputs' by
    name. ``positions``: where columns end.

    Raises TypeError for what is no Symbol, MXNetValueError where shapes do not follow.
    """
    _require_symbol(symbol, "print_summary")
    ends = [int(line_length * end) if end <= 1 else int(end) for end in positions]
    shapes = _shapes_of(symbol, shape)

    def row(*fields: object) -> None:
        line = ""
        for field, end in zip(fields, ends):
            line = (line + str(field))[:end].ljust(end)
        print(line)  # noqa: T201 - a table is what is asked for

    row_end = "_" * line_length
    print(row_end)  # noqa: T201
    row("Layer (type)", "Output Shape", "Param #", "Previous Layer")
    print("=" * line_length)  # noqa: T201
    total = 0
    counted: set[Node] = set()
    for node in walk(symbol._entries):
        if node.op == "null" and not _is_input(node, shape):
            continue
        states = set(written_inputs(node)) if node.op != "null" else set()
        weights = [entry for entry in node.inputs if entry.node.op == "null" and not _is_input(entry.node, shape)]
        own = [
            entry
            for index, entry in enumerate(node.inputs)
            if entry in weights and index not in states and entry.node not in counted
        ]
        counted.update(entry.node for entry in own)
        count = sum(math.prod(shapes[entry]) for entry in own) if shapes else 0
        total += count
        taken = [entry.node.name for entry in node.inputs if entry not in weights]
        size = shapes.get(Entry(node), ("",))[1:] if shapes else ""
        row(f"{node.name} ({node.op})", size, count, taken[0] if taken else "")
        for name in taken[1:]:
            row("", "", "", name)
        print(row_end)  # noqa: T201
    print(f"Total params: {total}\n{row_end}")  # noqa: T201


def plot_network(
    symbol: Symbol,
    title: str = "plot",
    save_format: str = "pdf",
    shape: Shapes = None,
    dtype: Mapping[str, Any] | None = None,  # noqa: ARG001 - shapes are what is shown
    node_attrs: Mapping[str, str] | None = None,
    hide_weights: bool = True,
) -> Any:
    """Return a drawing, a ``graphviz.Digraph``; its ``render()`` writes the file ``title`` in ``save_format``. Arrows
    show shapes that follow from ``shape``. Raises ImportError where the package graphviz is missing."""
    _require_symbol(symbol, "plot_network")
    try:
        from graphviz import Digraph  # type: ignore[import-not-found]
    except ImportError:
        raise ImportError("mx.viz.plot_network() draws with the package graphviz: pip install graphviz") from None
    nodes = walk(symbol._entries)
    repeated = [name for name, count in Counter(node.name for node in nodes).items() if count > 1]
    if repeated:
        warnings.warn(
            "There are multiple variables with the same name in your graph, which the drawing takes for one. "
            f"Repeated names: {', '.join(repeated)}",
            RuntimeWarning,
            stacklevel=2,
        )
    shapes = _shapes_of(symbol, shape)
    style = {"shape": "box", "fixedsize": "true", "width": "1.3", "height": "0.8034", "style": "filled"}
    drawing = Digraph(name=title, format=save_format)
    weights = {
        entry.node
        for node in nodes
        for entry in node.inputs
        if entry.node.op == "null" and not _is_input(entry.node, shape)
    }
    hidden = weights if hide_weights else set()
    for node in nodes:
        if node in hidden:
            continue
        words = [node.attrs[key] for key in _SHOWN.get(node.op, ()) if key in node.attrs]
        label = node.name if node.op == "null" else "\n".join([node.op, ", ".join(words)]).strip()
        look = {**style, **(node_attrs or {}), "fillcolor": _COLOURS.get(node.op, "#fccde5")}
        drawing.node(node.name, label, **({**look, "shape": "oval"} if node.op == "null" else look))
        for entry in node.inputs:
            if entry.node not in hidden:
                size = "x".join(map(str, shapes[entry][1:])) if entry in shapes else ""
                drawing.edge(node.name, entry.node.name, label=size, dir="back", arrowtail="open")
    return drawing
