"""SavedModels as tensorflow-neuron wrote them, made of functions: each becomes the graph in a NeuronOp."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from neuron_adapters.adapter.hooks import original
from neuron_adapters.files.neff import neff

Spec = tf.TensorSpec


def edited(simple: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    """A copy of the genuine file with something changed in its NeuronOp."""
    shutil.copytree(simple, target, copy_function=shutil.copyfile)
    for folder in (target, target / "variables"):
        folder.chmod(0o755)
    file = target / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (node,) = nodes_of(model)
    edit(node)
    file.write_bytes(model.SerializeToString())
    return target


def nodes_of(model: Any) -> list[Any]:
    functions = model.meta_graphs[0].graph_def.library.function
    return [node for function in functions for node in function.node_def if node.op == "NeuronOp"]


def neuron_op(
    name: str,
    function: Callable[..., Any],
    specs: Sequence[Spec],
    inputs: Sequence[str],
    *,
    cores: int = 1,
    batched: bool = False,
    replicas: int | None = None,
    change: Callable[[Any], None] = lambda graph: None,
) -> Any:
    """The node that ``function`` was compiled into. ``change``: what to do to its graph."""
    concrete = tf.function(function).get_concrete_function(*specs)
    graph = concrete.graph.as_graph_def()
    change(graph)
    node = node_def_pb2.NodeDef(name=name, op="NeuronOp", input=inputs)
    sides = {"input": concrete.inputs, "output": concrete.outputs}
    for side, tensors in sides.items():
        node.attr[f"{side}_names"].list.s.extend(f"{side}{index}".encode() for index in range(len(tensors)))
        node.attr[f"{side}_dtypes"].list.type.extend(tensor.dtype.as_datatype_enum for tensor in tensors)
        node.attr[f"{side}_shapes"].list.shape.extend(tensor.shape.as_proto() for tensor in tensors)
        node.attr[f"{side}_batch_axis"].list.i.extend(0 if batched else -1 for _ in tensors)
    node.attr["graph_def"].s = graph.SerializeToString()
    node.attr["executable"].s = neff("1.6.13.0+9f61b2f75-/tmp/x", cores, {"neff.json": b"{}"})
    node.attr["model_config"].list.i.extend([cores, cores, 4, 10])
    if replicas is not None:
        node.attr["_automatic_multicore"].i = replicas
    return node


def graph_of(placeholders: dict[str, Spec], nodes: Sequence[Any]) -> Any:
    definition = graph_pb2.GraphDef()
    for name, spec in placeholders.items():
        placeholder = definition.node.add(name=name, op="Placeholder")
        placeholder.attr["dtype"].type = spec.dtype.as_datatype_enum
        placeholder.attr["shape"].shape.CopyFrom(spec.shape.as_proto())
    definition.node.extend(nodes)
    definition.versions.producer = 800
    return definition


def wrapped(placeholders: dict[str, Spec], nodes: Sequence[Any], outputs: Sequence[str]) -> Any:
    """The graph as a function, as the plug-in wrapped it."""
    definition = graph_of(placeholders, nodes)
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    graph = imported.graph
    fetched = [graph.as_graph_element(name) for name in outputs]
    return imported.prune([graph.as_graph_element(f"{name}:0") for name in placeholders], fetched)


def save(path: Path, placeholders: dict[str, Spec], nodes: Sequence[Any], outputs: Sequence[str], **extra: Any) -> Path:
    """A SavedModel of TensorFlow 2: an object with a call, a signature and ``aws_neuron_function``."""
    module = tf.Module()
    module.aws_neuron_function = inner = wrapped(placeholders, nodes, outputs)
    for name, value in extra.items():
        setattr(module, name, value)
    finish = extra.get("finish", lambda results: results)

    @tf.function(autograph=False, input_signature=list(placeholders.values()))
    def call(*tensors: Any) -> Any:
        results = finish(inner(*tensors))
        return results[0] if len(results) == 1 else results

    @tf.function(autograph=False)
    def serving(**tensors: Any) -> Any:
        return {
            f"output_{index}": result
            for index, result in enumerate(finish(inner(*(tensors[name] for name in placeholders))))
        }

    module.__call__ = call
    specs = {name: Spec(spec.shape, spec.dtype, name) for name, spec in placeholders.items()}
    signature = serving.get_concrete_function(**specs)
    original(tf.saved_model.save)(module, str(path), signatures={"serving_default": signature, "again": signature})
    return path


def save_v1(path: Path, placeholders: dict[str, Spec], nodes: Sequence[Any], outputs: dict[str, str]) -> Path:
    """A SavedModel of TensorFlow 1, as ``tf.neuron.saved_model.compile`` wrote it."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(graph_of(placeholders, nodes), name="")
        info = tf.compat.v1.saved_model.build_tensor_info
        signature = tf.compat.v1.saved_model.build_signature_def(
            {name: info(graph.get_tensor_by_name(f"{name}:0")) for name in placeholders},
            {key: info(graph.get_tensor_by_name(name)) for key, name in outputs.items()},
            "tensorflow/serving/predict",
        )
        builder = tf.compat.v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return path
