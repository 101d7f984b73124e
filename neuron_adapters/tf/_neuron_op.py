"""``aws_neuron_function``: a compiled model as the function that tensorflow-neuron showed, with its NeuronOp node.

TensorFlow has no operator of that name. But a node may also name a function of its graph, so the graph here has a
function called NeuronOp, with the operator's attributes, that calls the model. It is for looking at; calls run where
the model is placed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.eager import context
from tensorflow.python.framework import func_graph, ops

from neuron_adapters._neff import neff
from neuron_adapters.tf._artifact import Artifact

#: Attributes of the operator beside its types.
_ATTRIBUTES = {
    "graph_def": "string", "executable": "string", "input_names": "list(string)", "output_names": "list(string)",
    "input_shapes": "list(shape)", "output_shapes": "list(shape)", "input_batch_axis": "list(int)",
    "output_batch_axis": "list(int)", "model_config": "list(int)",
}  # fmt: skip
Value = attr_value_pb2.AttrValue


class NeuronFunction:
    """A ConcreteFunction, but that its graph holds the NeuronOp and that its calls are the model's."""

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
        """The graph's own."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Any]:
        """The graph's own."""
        return list(self.graph.outputs)

    @property
    def python_function(self) -> NeuronFunction:
        """Itself: older releases had a tf.function round it."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the model, or with the tensors of its graph's inputs in their order."""
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
    """A graph in which the whole model is one NeuronOp, its weights inside."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    record = artifact.record
    function = convert_variables_to_constants_v2(artifact.function, lower_control_flow=False)
    captured = {placeholder.name for _value, placeholder in function.graph.captures}
    placeholders = [tensor for tensor in function.graph.inputs if tensor.name not in captured]
    graph_def = function.graph.as_graph_def().SerializeToString()
    inputs, outputs = artifact.names
    listed = Value.ListValue
    attributes = {
        "input_dtypes": Value(list=listed(type=[one.dtype.as_datatype_enum for one in function.inputs])),
        "output_dtypes": Value(list=listed(type=[one.dtype.as_datatype_enum for one in function.outputs])),
        "graph_def": Value(s=graph_def),
        "executable": Value(s=neff("model", record.pipeline_cores, {"graph_def.pb": graph_def})),
        "input_names": Value(list=listed(s=[name.encode() for name in inputs])),
        "output_names": Value(list=listed(s=[name.encode() for name in outputs])),
        "input_shapes": Value(list=listed(shape=[one.shape.as_proto() for one in placeholders])),
        "output_shapes": Value(list=listed(shape=[one.shape.as_proto() for one in function.outputs])),
        "input_batch_axis": Value(list=listed(i=[0 if record.dynamic_batch else -1] * len(inputs))),
        "output_batch_axis": Value(list=listed(i=[0 if record.dynamic_batch else -1] * len(outputs))),
        "model_config": Value(list=listed(i=[1, record.pipeline_cores, -1, 0])),
    }
    if record.replicas is not None:
        attributes["_automatic_multicore"] = Value(i=record.replicas)

    def shown(*tensors: Any) -> Any:
        graph = ops.get_default_graph()
        function.add_to_graph(graph)
        with graph._c_graph.get() as c_graph:
            definition = pywrap_tf_session.TF_FunctionImportFunctionDef(_definition(function).SerializeToString())
            pywrap_tf_session.TF_GraphCopyFunction(c_graph, definition, None)
        op = graph._create_op_internal(
            "NeuronOp",
            list(tensors),
            [one.dtype for one in function.outputs],
            name="neuron_op0",
            attrs=attributes,
        )
        for made, one in zip(op.outputs, function.outputs):
            made.set_shape(one.shape)
        return tf.identity_n(list(op.outputs))

    # No tf.function: that would be handed to the runtime, which knows no such operator.
    return func_graph.func_graph_from_py_func(
        "aws_neuron_function",
        shown,
        [tf.TensorSpec(one.shape, one.dtype, name) for one, name in zip(placeholders, inputs)],
        {},
        add_control_dependencies=False,
    )


def _definition(function: Any) -> Any:
    """The function NeuronOp: takes and returns what ``function`` does, by calling it. The operator's attributes are its
    own as well, and nothing depends on them."""
    inputs = [one.dtype.as_datatype_enum for one in function.inputs]
    outputs = [one.dtype.as_datatype_enum for one in function.outputs]
    made = function_pb2.FunctionDef()
    signature = made.signature
    signature.name, signature.is_stateful = "NeuronOp", True
    for name, kind in {"input_dtypes": "list(type)", "output_dtypes": "list(type)", **_ATTRIBUTES}.items():
        signature.attr.add(name=name, type=kind)
    for number, kind in enumerate(inputs):
        signature.input_arg.add(name=f"input_tensors_{number}", type=kind)
    call = made.node_def.add(name="call", op="StatefulPartitionedCall")
    call.input.extend(f"input_tensors_{number}" for number in range(len(inputs)))
    call.attr["Tin"].list.type.extend(inputs)
    call.attr["Tout"].list.type.extend(outputs)
    call.attr["f"].func.name = function.function_def.signature.name
    for name in ("config", "config_proto", "executor_type"):
        call.attr[name].s = b""
    for number, kind in enumerate(outputs):
        signature.output_arg.add(name=f"output_tensors_{number}", type=kind)
        made.ret[f"output_tensors_{number}"] = f"call:output:{number}"
    return made
