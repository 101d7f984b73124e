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
        return neuron_graph(self._artifact)

    @property
    def python_function(self) -> NeuronFunction:
        """Itself: older releases had a tf.function round it."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._artifact.function, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._artifact.function)


def neuron_graph(artifact: Artifact) -> Any:
    """A graph in which the whole model is one NeuronOp."""
    function, record = artifact.function, artifact.record
    captured = {placeholder.name for _value, placeholder in function.graph.captures}
    placeholders = [tensor for tensor in function.graph.inputs if tensor.name not in captured]
    graph_def = function.graph.as_graph_def().SerializeToString()
    inputs, outputs = artifact.names
    listed = Value.ListValue
    attributes = {
        "input_dtypes": Value(list=listed(type=[one.dtype.as_datatype_enum for one in function.inputs])),
        "output_dtypes": Value(list=listed(type=[one.dtype.as_datatype_enum for one in function.outputs])),
        "subgraph": Value(func=attr_value_pb2.NameAttrList(name=function.function_def.signature.name)),
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
            definition = pywrap_tf_session.TF_FunctionImportFunctionDef(_definition().SerializeToString())
            pywrap_tf_session.TF_GraphCopyFunction(c_graph, definition, None)
        op = graph._create_op_internal(
            "NeuronOp",
            [*tensors, *(graph.capture(value) for value, _placeholder in function.graph.captures)],
            [one.dtype for one in function.outputs],
            name="neuron_op0",
            attrs=attributes,
        )
        for made, one in zip(op.outputs, function.outputs):
            made.set_shape(one.shape)
        return list(op.outputs)

    # No tf.function: that would be handed to the runtime, which knows no such operator.
    return func_graph.func_graph_from_py_func(
        "aws_neuron_function", shown, [tf.TensorSpec(one.shape, one.dtype) for one in placeholders], {}
    )


@functools.cache
def _definition() -> Any:
    """The function NeuronOp. Like the operator it takes and returns lists; its attribute ``subgraph`` is what runs."""
    made = function_pb2.FunctionDef()
    signature = made.signature
    signature.name, signature.is_stateful = "NeuronOp", True
    for name, kind in {"input_dtypes": "list(type)", "output_dtypes": "list(type)", **_ATTRIBUTES}.items():
        signature.attr.add(name=name, type=kind)
    signature.attr.add(name="subgraph", type="func")
    signature.input_arg.add(name="input_tensors", type_list_attr="input_dtypes")
    signature.output_arg.add(name="output_tensors", type_list_attr="output_dtypes")
    call = made.node_def.add(name="call", op="StatefulPartitionedCall", input=["input_tensors"])
    for name, attribute in {"Tin": "input_dtypes", "Tout": "output_dtypes", "f": "subgraph"}.items():
        call.attr[name].placeholder = attribute
    for name in ("config", "config_proto", "executor_type"):
        call.attr[name].s = b""
    made.ret["output_tensors"] = "call:output"
    return made
