"""Divides a graph between NeuronOps and TensorFlow, as ``subgraph_builder_function`` wants it shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

#: Nodes without a place of their own: each part that reads them has a copy.
_COPIED = {"Const"}


@dataclass
class Part:
    """Some nodes of a graph that run together. Tensors have the names that they have in the whole graph."""

    inside: bool
    """Whether a NeuronOp runs them."""
    definition: Any
    """Their GraphDef, in which each input is called as ``stand_in`` says; inside, it is a placeholder."""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def parts(graph: Any, inputs: Sequence[str], outputs: Sequence[str], outside: Collection[str]) -> Iterator[Part]:
    """Yield the parts of ``graph`` in an order in which they can run. ``outside``: names of the nodes that TensorFlow
    runs. A node's level is the number of changes from one side to the other on the way to it, so nodes of one level
    and side never wait for each other through the other side."""
    taken = {name.partition(":")[0] for name in inputs}
    nodes = [op for op in graph.get_operations() if op.name not in taken and op.type not in _COPIED | {"NoOp"}]
    levels: dict[str, int] = {}
    for op in nodes:  # a graph's operations are in the order of their making, which is one in which they can run
        before = [levels[tensor.op.name] for tensor in op.inputs if tensor.op.name in levels]
        side = int(op.name in outside)
        levels[op.name] = max([level + (level % 2 != side) for level in before], default=side)
    for level in sorted(set(levels.values())):
        yield _part(graph, [op for op in nodes if levels[op.name] == level], outputs, inside=level % 2 == 0)


def _part(graph: Any, ops: Sequence[Any], outputs: Sequence[str], *, inside: bool) -> Part:
    names = {op.name for op in ops}
    part = Part(inside, graph_pb2.GraphDef(versions=graph.as_graph_def().versions))
    copied: set[str] = set()
    for op in ops:
        node = part.definition.node.add()
        node.CopyFrom(op.node_def)
        del node.input[:]
        for tensor in op.inputs:
            if tensor.op.type in _COPIED and tensor.op.name not in copied:
                copied.add(tensor.op.name)
                part.definition.node.add().CopyFrom(tensor.op.node_def)
            elif tensor.op.name not in names and tensor.op.type not in _COPIED and tensor.name not in part.inputs:
                part.inputs.append(tensor.name)
            node.input.append(stand_in(tensor.name) if tensor.name in part.inputs else tensor.name)
        for tensor in op.outputs:
            elsewhere = any(consumer.name not in names for consumer in tensor.consumers())
            if elsewhere or tensor.name in outputs:
                part.outputs.append(tensor.name)
    for name in part.inputs if inside else ():  # else the tensors themselves are put there
        tensor = graph.get_tensor_by_name(name)
        placeholder = part.definition.node.add(name=stand_in(name), op="Placeholder")
        placeholder.attr["dtype"].type = tensor.dtype.as_datatype_enum
        placeholder.attr["shape"].shape.CopyFrom(tf.TensorShape(tensor.shape).as_proto())
    return part


def stand_in(tensor: str) -> str:
    """The name of the node that stands for a tensor of another part."""
    return tensor.replace(":", "_neuron_").replace("/", "_")
