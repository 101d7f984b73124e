"""Tells whether a graph gives the same answers when it runs elsewhere or again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorflow.python.framework import op_def_registry

from neuron_adapters.files.pure_operators import PURE_OPERATORS

#: Operators that look at variables and tables, and change nothing.
_READING = frozenset({
    "LookupTableFindV2", "LookupTableSizeV2", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VarHandleOp",
    "VarIsInitializedOp", "VariableShape",
})  # fmt: skip
#: Stateful operators that answer the same each time.
_HARMLESS = PURE_OPERATORS | {
    "Print", "PrintV2", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VarHandleOp", "VariableShape",
}  # fmt: skip


class CannotSeparate(Exception):  # noqa: N818 - an answer, not a fault
    """Why a function has to be left to TensorFlow's own call."""


def refuse(graph: Any, definition: Any) -> None:
    """Raise CannotSeparate for a graph whose answers depend on more than its inputs and weights. ``definition``: its
    own, or with others in the place of some nodes."""
    for node in called_nodes(definition):
        if node.op in {"PyFunc", "PyFuncStateless", "EagerPyFunc"}:
            raise CannotSeparate("it calls Python code")
        if "Assign" in node.op:
            raise CannotSeparate("it changes its own variables")
        known = op_def_registry.get(node.op)  # None for functions of the graph's own library
        if known is not None and known.is_stateful and node.op not in _HARMLESS:
            raise CannotSeparate(f"its operator {node.op} answers differently each time")
    if graph.deferred_external_captures:
        raise CannotSeparate("it captures values at each call")


def effect_of(definition: Any) -> str:
    """The first operator of a graph that does more than compute and read weights; empty where all only do that. A graph
    with an effect runs only when its user calls it (SPEC F1)."""
    functions = {function.signature.name for function in definition.library.function}
    allowed = PURE_OPERATORS | _READING | functions
    return next((node.op for node in called_nodes(definition) if node.op not in allowed), "")


def called_nodes(definition: Any) -> list[Any]:
    """The nodes of a graph and of the functions that it calls. A library may hold others, such as gradients."""
    functions = {function.signature.name: function.node_def for function in definition.library.function}
    nodes, pending = [], list(definition.node)
    while pending:
        node = pending.pop()
        nodes.append(node)
        for name in (node.op, *(name for value in node.attr.values() for name in _functions(value))):
            pending.extend(functions.pop(name, ()))
    return nodes


def _functions(value: Any) -> Iterator[str]:
    """Names of the functions in an attribute, and in the attributes that it hands on to them."""
    for function in (value.func, *value.list.func):
        yield function.name
        for inner in function.attr.values():
            yield from _functions(inner)
