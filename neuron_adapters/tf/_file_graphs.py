"""Checks graphs out of files before they reach TensorFlow (SPEC F1).

TensorFlow computes parts of a graph while it imports it, to know the shapes. So a check after the import is too late.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2, types_pb2
from tensorflow.python.framework import op_def_registry

from neuron_adapters.files.printable import printable
from neuron_adapters.files.pure_operators import PURE_OPERATORS

#: Types whose constants are references to objects of the process, or objects that TensorFlow makes of bytes.
_HANDLES = {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
#: The only attribute with an underscore that is kept: the others change how TensorFlow treats the node.
_KEPT_HINT = "_lower_using_switch_merge"
#: Attributes of calls that change how the process runs them.
_SETTINGS = ("config", "config_proto", "executor_type")
#: Depth of calls among functions. TensorFlow follows them by recursion, and ends the process where its stack ends.
_DEEPEST = 100
#: Elements of a constant that may be repetitions of the last one that is written.
_MOST_REPEATED = 1 << 24
#: Nodes that calls may add to those in the file: TensorFlow visits a function once a call while it imports a graph.
_MOST_ADDED = 1 << 18


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Why a graph out of a file does not run."""


def restrict(definition: Any) -> None:
    """Reduce a GraphDef to what it runs: its nodes and the functions that they call, without devices and hints. Raises
    Refused where a node does more than compute (see ``pure_operators``), or where functions call themselves."""
    library = _library(definition)
    bodies: dict[str, Any] = {"": definition.node}
    calls: dict[str, Counter[str]] = {}
    left = [""]
    while left:
        where = left.pop()
        calls[where] = called = Counter[str]()
        for node in bodies[where]:
            called.update(_check(node, where, library))
        if where:
            for attr in library[where].signature.attr:
                called.update(_check_value(attr.default_value, f"function {quoted(where)}"))
        for name in called:
            if name not in library:
                raise Refused(f"it calls the function {quoted(name)}, which is not in it")
            if name not in bodies:
                bodies[name] = library[name].node_def
                left.append(name)
    _check_size(bodies, calls)
    for name, nodes in bodies.items():
        for node in nodes:
            _clean(node)
        if name:
            _clean_function(library[name])
    kept = [function for name, function in library.items() if name in bodies]
    definition.library.CopyFrom(function_pb2.FunctionDefLibrary(function=kept))


def quoted(name: str) -> str:
    """A name out of a file, fit for an error."""
    return f"'{printable(name, 80)}'"


def _library(definition: Any) -> dict[str, Any]:
    """The functions by name. Raises Refused where a name is used twice or is an operator's."""
    library: dict[str, Any] = {}
    for function in definition.library.function:
        name = function.signature.name
        if not name or name in library or op_def_registry.get(name) is not None:
            raise Refused(f"a function in it has the name {quoted(name)}, which is another's")
        library[name] = function
    return library


def _check(node: Any, where: str, library: dict[str, Any]) -> Iterator[str]:
    """Yield the functions that a node calls, each as often as it calls them. Raises Refused."""
    place = f"node {quoted(node.name)}{f' of function {quoted(where)}' if where else ''}"
    if node.op in library:
        yield node.op
    elif node.op not in PURE_OPERATORS:
        raise Refused(
            f"it holds the operator {quoted(node.op)} ({place}), which is not on the list of those that only compute"
        )
    for value in node.attr.values():
        yield from _check_value(value, place)


def _check_value(value: Any, place: str) -> Iterator[str]:
    """Yield the functions that an attribute names, at any depth. Raises Refused for handles."""
    for kind in (value.type, *value.list.type):
        if kind == types_pb2.DT_RESOURCE or kind >= types_pb2.DT_FLOAT_REF:
            raise Refused(f"{place} works on a handle to a variable, a table or the like")
    for tensor in [value.tensor] if value.HasField("tensor") else value.list.tensor:
        if tensor.dtype in _HANDLES or tensor.resource_handle_val or tensor.variant_val:
            raise Refused(f"{place} holds a handle in the place of a constant")
        elements = math.prod(max(axis.size, 0) for axis in tensor.tensor_shape.dim)
        if elements > 8 * tensor.ByteSize() + _MOST_REPEATED:
            raise Refused(
                f"{place} promises a constant of {elements} elements, and holds {tensor.ByteSize()} bytes of it"
            )
    for function in [value.func] if value.HasField("func") else value.list.func:
        yield function.name
        for inner in function.attr.values():
            yield from _check_value(inner, place)


def _check_size(bodies: dict[str, Any], calls: dict[str, Counter[str]]) -> None:
    """Raise Refused for functions that call themselves, or that would grow too large if their calls were inlined."""
    depths: dict[str, int] = {}
    sizes: dict[str, int] = {}
    try:
        for name in TopologicalSorter(calls).static_order():
            depths[name] = 1 + max((depths[callee] for callee in calls[name]), default=0)
            sizes[name] = len(bodies[name]) + sum(count * sizes[callee] for callee, count in calls[name].items())
    except CycleError:
        raise Refused("a function in it calls itself") from None
    if depths[""] > _DEEPEST:
        raise Refused(f"its functions call each other {depths['']} deep, and at most {_DEEPEST} are accepted")
    if sizes[""] > sum(map(len, bodies.values())) + _MOST_ADDED:
        raise Refused(f"calls of its functions stand for more than {_MOST_ADDED} nodes")


def _clean(node: Any) -> None:
    node.device = ""  # a place is the session's to give
    for name in [key for key in node.attr if key.startswith("_") and key != _KEPT_HINT]:
        del node.attr[name]
    for name in _SETTINGS:
        if name in node.attr:
            node.attr[name].s = b""


def _clean_function(function: Any) -> None:
    for field in ("attr", "arg_attr", "resource_arg_unique_id"):
        function.ClearField(field)


def is_plain(dtype: tf.DType) -> bool:
    """Whether tensors of ``dtype`` are bytes that may be copied: no strings, no handles."""
    return bool(dtype.is_numpy_compatible) and dtype != tf.string
