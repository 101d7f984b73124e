"""Divides a graph into parts to compile: which operators become which part, and its inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuron_adapters.mxnet._graph import Entry, Node, walk, written_inputs
from neuron_adapters.mxnet._subgraphs import OP


class Parts:
    """The parts of a graph. ``nodes``: each compiled node with the heads of its part."""

    def __init__(self, heads: Sequence[Entry], ours: Any) -> None:
        self._heads = list(heads)
        self._level: dict[int, int] = {}
        self._ours: dict[int, bool] = {}
        self._order = walk(heads)
        for node in self._order:
            self._place(node, ours)
        self._auxiliary = {id(node.inputs[index].node) for node in self._order for index in written_inputs(node)}
        self.nodes: list[tuple[Node, list[Entry]]] = []
        self._outside: dict[int, Node] = {}
        self._taken: dict[tuple[int, int], Entry] = {}

    def _place(self, node: Node, ours: Any) -> None:
        """Give an operator its level, which goes up wherever a path changes sides. Compiled operators of a level are
        one part, and no path leaves it and comes back."""
        if node.op == "null":
            return
        compiled = self._ours[id(node)] = bool(ours(node))
        level = 0 if compiled else 1
        for entry in node.inputs:
            before = id(entry.node)
            if before in self._level:
                level = max(level, self._level[before] + (self._ours[before] != compiled))
        self._level[id(node)] = level

    def joined(self) -> list[Entry]:
        """Return the graph with a compiled node for each part."""
        operators = [node for node in self._order if node.op != "null"]
        for level in sorted(set(self._level.values())):
            here = [node for node in operators if self._level[id(node)] == level]
            if self._ours[id(here[0])]:
                self._compile(here)
            else:
                for node in here:
                    inputs = [self._outer(entry) for entry in node.inputs]
                    self._outside[id(node)] = node.taking(inputs)
        return [self._outer(head) for head in self._heads]

    def _outer(self, old: Entry) -> Entry:
        """Return the entry that stands for ``old`` outside the parts."""
        if old.node.op == "null":
            return old
        output = self._taken.get((id(old.node), old.index))
        return output if output is not None else Entry(self._outside[id(old.node)], old.index)

    def _compile(self, here: Sequence[Node]) -> None:
        inside = {id(node) for node in here}
        wanted = [
            entry
            for entry in dict.fromkeys([
                *(entry for node in self._order if id(node) not in inside for entry in node.inputs), *self._heads,
            ])
            if id(entry.node) in inside
        ]  # fmt: skip
        copies: dict[int, Node] = {}
        variables: dict[Entry, Node] = {}

        def inner(old: Entry) -> Entry:
            if id(old.node) in inside:
                return Entry(copies[id(old.node)], old.index)
            if old not in variables:
                variables[old] = _variable(old, len(variables), auxiliary=id(old.node) in self._auxiliary)
            return Entry(variables[old])

        for node in here:
            copies[id(node)] = node.taking([inner(entry) for entry in node.inputs])
        part = [inner(entry) for entry in wanted]
        sources = {id(variable): old for old, variable in variables.items()}
        taken = [self._outer(sources[id(variable)]) for variable in walk(part) if variable.op == "null"]
        compiled_node = Node(OP, f"_op{len(self.nodes)}", {}, taken, [part])
        self.nodes.append((compiled_node, part))
        for index, old in enumerate(wanted):
            self._taken[id(old.node), old.index] = Entry(compiled_node, index)


def _variable(old: Entry, number: int, *, auxiliary: bool) -> Node:
    """Create the variable of a part for a value that it takes from outside."""
    node = old.node
    if node.op != "null":
        return Node("null", f"{node.name}_output{old.index}_{number}", {"isArg": "False", "isAux": "False"})
    kind = {"isArg": str(not auxiliary), "isAux": str(auxiliary)}
    return Node("null", f"{node.name}{number}", {**node.attrs, "argName": node.name, **kind})
