"""What a graph does, as far as running it elsewhere cares."""

from __future__ import annotations

from typing import Any

from tensorflow.python.framework import op_def_registry

#: Stateful operators that answer the same each time.
_HARMLESS = {
    "Assert", "If", "NoOp", "PartitionedCall", "Placeholder", "Print", "PrintV2", "ReadVariableOp", "ResourceGather",
    "ResourceGatherNd", "StatefulPartitionedCall", "VarHandleOp", "VariableShape", "While", "Case",
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


def called_nodes(definition: Any) -> list[Any]:
    """The nodes of a graph and of the functions that it calls. A library may hold others, such as gradients."""
    functions = {function.signature.name: function.node_def for function in definition.library.function}
    found, left = [], list(definition.node)
    while left:
        node = left.pop()
        found.append(node)
        called = [node.op]
        for value in node.attr.values():
            called += [value.func.name, *(one.name for one in value.list.func)]
        for name in called:
            left.extend(functions.pop(name, ()))
    return found
