"""Upgrades the nodes of older symbol files. The upgrades are those of MXNet 1.9.1, and happen at the same versions."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet._graph import HIDDEN, Entry, Node, hidden, input_names, set_initial, variable_of
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet.base import FormatError

#: The version that ``dumps`` writes, 1.9.1. Only older files are upgraded.
VERSION = 10901
#: Most variables that are added where operators of the oldest files lack inputs.
MOST_ADDED = 1 << 16


def upgrade(nodes: list[Node], version: int) -> None:
    """Upgrade ``nodes`` of a file of ``version`` to MXNet 1.9.1, in place. Raises FormatError."""
    for node in nodes:
        node.op = own_name(node.op)
    if version >= VERSION:
        return
    left = MOST_ADDED
    for node in nodes:
        names = input_names(node)
        _move_hidden(node, names)
        if version < 900 and len(node.inputs) < len(names):
            left -= len(names) - len(node.inputs)
            if left < 0:
                raise FormatError(f"this symbol file is damaged: its operators lack more than {MOST_ADDED} inputs.")
            added = [variable_of(node, name) for name in names[len(node.inputs) :]]
            node.inputs += [Entry(variable) for variable in added]
        if version < 904:
            set_initial(node)
        if version < 905 and node.op in ("argmax", "argmin") and node.attrs.get("axis") == "-1":
            # In files before 0.9.5 it meant all axes, later the last.
            del node.attrs["axis"]


def _move_hidden(node: Node, names: Sequence[str]) -> None:
    places: dict[str, int] = {}
    for key, value in list(node.attrs.items()):
        if key in HIDDEN:
            node.attrs[hidden(key)] = node.attrs.pop(key)
            continue
        word = next((hidden_name for hidden_name in HIDDEN if key.endswith(f"_{hidden_name}")), "")
        places = places or ({name: index for index, name in enumerate(names)} if word else {})
        index = places.get(key[: -len(word) - 1]) if word else None
        if index is not None:
            # Older files say it of an input at the operator, newer ones at the variable.
            if index < len(node.inputs) and node.inputs[index].node.op == "null":
                node.inputs[index].node.attrs[hidden(word)] = value
            del node.attrs[key]
