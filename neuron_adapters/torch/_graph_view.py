"""``graph`` and ``code`` of a compiled module: one ``neuron::forward_v2_N``, as AWS's plug-in shows it.

The node cannot be in the file: PyTorch opens no file with an operator that it does not know, and files must open
without this package (SPEC K1). So it is in what the two properties show. ``forward.graph`` and ``inlined_graph`` show
the operators that are in the file.
"""

from __future__ import annotations

from typing import Any

import torch

from neuron_adapters.torch._placed import CompiledMethod


def graph(show: Any) -> property:
    """A hook of ``RecursiveScriptModule.graph``."""

    def graph(self: Any) -> Any:
        return _graph(self._c._get_method("forward").graph) if _is_compiled(self) else show.fget(self)

    return property(graph, doc=show.__doc__)


def code(show: Any) -> property:
    """A hook of ``RecursiveScriptModule.code``."""

    def code(self: Any) -> Any:
        return _code(self._c._get_method("forward")) if _is_compiled(self) else show.fget(self)

    return property(code, doc=show.__doc__)


def _is_compiled(module: Any) -> bool:
    return type(vars(module).get("forward")) is CompiledMethod


def _operator(graph: Any) -> str:
    """The plug-in's name for a model with as many outputs: tensors, in whatever structure."""
    outputs = [value for output in graph.outputs() for value in _leaves(output)]
    return f"forward_v2_{len(outputs)}"


def _leaves(value: Any) -> list[Any]:
    node = value.node()
    if node.kind() in ("prim::TupleConstruct", "prim::ListConstruct"):
        return [leaf for part in node.inputs() for leaf in _leaves(part)]
    if node.kind() == "prim::DictConstruct":
        return [leaf for part in list(node.inputs())[1::2] for leaf in _leaves(part)]
    return [value]


def _graph(real: Any) -> Any:
    """A graph of the inputs and outputs of ``real``, with one node between them."""
    view: Any = torch._C.Graph()
    inputs = []
    for value in real.inputs():
        copied = view.addInput(value.debugName())
        copied.setType(value.type())
        inputs.append(copied)
    outputs = list(real.outputs())
    node = view.appendNode(view.create(f"neuron::{_operator(real)}", inputs, len(outputs)))
    for value, copied in zip(outputs, node.outputs()):
        copied.setType(value.type())
        view.registerOutput(copied)
    return view


def _code(method: Any) -> str:
    """The signature of ``method``, and one call in its body."""
    head, _end, _body = str(method.code).partition(":\n  ")
    names = [argument.name for argument in method.schema.arguments[1:]]
    return f"{head}:\n  return ops.neuron.{_operator(method.graph)}(self, {', '.join(names)})\n"
