"""``aws_neuron_function``: shows a compiled model as tensorflow-neuron does, as a function with a NeuronOp node.

The node is only shown; calls run where the model is placed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, graph_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import func_graph
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from neuron_adapters.files.neff import neff
from neuron_adapters.files.record import Record
from neuron_adapters.files.savedmodel import OP
from neuron_adapters.tf import _partition
from neuron_adapters.tf._artifact import Artifact
from neuron_adapters.tf._graphs import called_nodes
from neuron_adapters.tf._operator import node_of

Value = attr_value_pb2.AttrValue

#: Operators that on_neuron_ratio and analyze_model leave out, as documented.
_NOT_COUNTED = {"Placeholder", "PlaceholderWithDefault", "Identity", "IdentityN", "ReadVariableOp", "NoOp", "Const"}


def counted(definition: Any) -> list[Any]:
    """The nodes of a graph that do something."""
    return [node for node in called_nodes(definition) if is_counted(node)]


def is_counted(node: Any) -> bool:
    """Whether a node does something."""
    return node.op not in _NOT_COUNTED


def on_neuron_ratio(definition: Any) -> float:
    """The share of a graph's operators that are in its NeuronOps."""
    nodes = counted(definition)
    inside = [len(counted(graph_pb2.GraphDef.FromString(node.attr["graph_def"].s))) for node in nodes if node.op == OP]
    total = sum(inside) + len(nodes) - len(inside)
    return sum(inside) / total if total else 0.0


class NeuronFunction:
    """A ConcreteFunction whose graph holds the NeuronOp, and whose calls are the model's."""

    def __init__(self, artifact: Artifact, call: Callable[..., Any]) -> None:
        self._artifact = artifact
        self._call = call

    @functools.cached_property
    def graph(self) -> Any:
        """The graph: placeholders, the NeuronOp, and what is returned."""
        with context.eager_mode():  # also where the caller builds a graph
            return neuron_graph(self._artifact)

    @property
    def inputs(self) -> list[Any]:
        """The inputs of the graph."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Any]:
        """The outputs of the graph."""
        return list(self.graph.outputs)

    @property
    def python_function(self) -> NeuronFunction:
        """This object. Older releases had a tf.function around it."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model, or take the tensors of the graph's inputs in their order."""
        signature = self._artifact.signature
        if not kwargs and len(args) == len(self._artifact.specs) and all(map(tf.is_tensor, args)):
            args, kwargs = tf.nest.pack_sequence_as(signature, args)
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._artifact.function, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._artifact.function)


def neuron_graph(artifact: Artifact) -> Any:
    """A graph in which the whole model is one NeuronOp, its weights inside; or several, where
    ``subgraph_builder_function`` left operators outside."""
    record = artifact.record
    function = convert_variables_to_constants_v2(artifact.function, lower_control_flow=False)
    captured = {placeholder.name for _value, placeholder in function.graph.captures}
    placeholders = [tensor for tensor in function.graph.inputs if tensor.name not in captured]
    inputs, outputs = artifact.names

    def shown(*tensors: Any) -> Any:
        if record.outside:
            return tf.identity_n(_in_parts(function, placeholders, tensors, record))
        batch = record.batch if record.dynamic_batch and record.batchable else None
        sides = dict(zip(inputs, placeholders)), dict(zip(outputs, function.outputs))
        attributes = _attributes(record, function.graph.as_graph_def(), *sides, batch)
        return tf.identity_n(_neuron_op(attributes, tensors, function.outputs, "neuron_op0"))

    # No tf.function: that would hand the whole of it to the runtime.
    return func_graph.func_graph_from_py_func(
        "aws_neuron_function",
        shown,
        [tf.TensorSpec(tensor.shape, tensor.dtype, name) for tensor, name in zip(placeholders, inputs)],
        {},
        add_control_dependencies=False,
    )


def _in_parts(function: Any, placeholders: Sequence[Any], tensors: Sequence[Any], record: Record) -> list[Any]:
    """The results of a graph whose parts inside are NeuronOps."""
    graph = function.graph
    values = dict(zip((placeholder.name for placeholder in placeholders), tensors))
    ends = [output.name for output in function.outputs]
    for number, part in enumerate(_partition.parts(graph, list(values), ends, record.outside)):
        fed = {f"{_partition.stand_in(name)}:0": values[name] for name in part.inputs}
        outputs = [graph.get_tensor_by_name(name) for name in part.outputs]
        if part.inside and fed and outputs:
            inputs = dict(zip(fed, map(graph.get_tensor_by_name, part.inputs)))
            attributes = _attributes(record, part.definition, inputs, dict(zip(part.outputs, outputs)), None)
            results = _neuron_op(attributes, list(fed.values()), outputs, f"neuron_op{number}")
        else:
            results = tf.graph_util.import_graph_def(part.definition, fed, part.outputs, name="")
        values.update(zip(part.outputs, results))
    return [values[name] for name in ends]


def _neuron_op(attributes: dict[str, Any], tensors: Sequence[Any], outputs: Sequence[Any], name: str) -> list[Any]:
    results: list[Any] = list(node_of(attributes, tensors, [output.dtype for output in outputs], name))
    for result, output in zip(results, outputs):
        result.set_shape(output.shape)
    return results


def _attributes(
    record: Record, definition: Any, inputs: dict[str, Any], outputs: dict[str, Any], batch: int | None
) -> dict[str, Any]:
    """The attributes of a NeuronOp. ``inputs``, ``outputs``: tensors of ``definition``, by their names in them.
    ``batch``: of the slices that it runs, None where it takes what it was compiled for."""
    graph_def = definition.SerializeToString()
    listed = Value.ListValue
    attributes = {
        "graph_def": Value(s=graph_def),
        "executable": Value(s=neff(f"{record.compiler}-model", record.pipeline_cores, {"graph_def.pb": graph_def})),
        "model_config": Value(list=listed(i=[1, record.pipeline_cores, -1, 0])),
    }
    for side, tensors in (("input", inputs), ("output", outputs)):
        attributes |= {
            f"{side}_names": Value(list=listed(s=[name.encode() for name in tensors])),
            f"{side}_dtypes": Value(list=listed(type=[tensor.dtype.as_datatype_enum for tensor in tensors.values()])),
            f"{side}_shapes": Value(list=listed(shape=[_shape(tensor, batch) for tensor in tensors.values()])),
            f"{side}_batch_axis": Value(list=listed(i=[-1 if batch is None else 0] * len(tensors))),
        }
    if record.replicas is not None:
        attributes["_automatic_multicore"] = Value(i=record.replicas)
    return attributes


def _shape(tensor: Any, batch: int | None) -> Any:
    """The shape of a tensor with the compiled batch for dimension 0, where the operator runs slices of it."""
    return (tensor.shape if batch is None else tf.TensorShape([batch, *tensor.shape[1:]])).as_proto()
