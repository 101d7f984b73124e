"""Functions for graphs of files."""

from __future__ import annotations

from typing import Any


def call(nodes: Any, function: str, name: str = "call", **attributes: Any) -> Any:
    node = nodes.add(name=name, op="PartitionedCall")
    node.attr["f"].func.name = function
    for key, value in attributes.items():
        node.attr["f"].func.attr[key].CopyFrom(value)
    return node


def function_of(graph: Any, name: str) -> Any:
    function = graph.library.function.add()
    function.signature.name = name
    return function
