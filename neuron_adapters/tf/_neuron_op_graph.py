"""Runs the graph in a ``NeuronOp``: the part of the original model that it was compiled from, as a function (SPEC K6).

The graph does not use the operator's names: its i-th placeholder is the i-th input, its i-th sink the i-th output.
Where dimension 0 was left open, the hardware ran as many slices of the compiled batch as it took, the last one filled
up with zeros. The function here does the same, since the graph may hold that batch anywhere.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # TensorFlow brings it
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import tensor_util

from neuron_adapters.files.printable import damaged, one_line
from neuron_adapters.files.savedmodel import LARGE, OP, erased
from neuron_adapters.tf._file_graphs import Refused, is_plain, quoted, restrict
from neuron_rt import ArtifactError

#: Attributes of a NeuronOp that describe its graph: where they are equal, so are the graphs.
_DESCRIBED = (
    "graph_def", "input_names", "output_names", "input_shapes", "output_shapes", "input_batch_axis",
    "output_batch_axis", "input_dtypes", "output_dtypes",
)  # fmt: skip
_known: weakref.WeakValueDictionary[str, Embedded] = weakref.WeakValueDictionary()
_guard = threading.RLock()


class _Side:
    """The inputs or the outputs of a NeuronOp, as the operator describes them."""

    def __init__(self, node: Any, kind: str) -> None:
        """``kind``: input or output."""
        described = {what: node.attr[f"{kind}_{what}"].list for what in ("names", "shapes", "dtypes", "batch_axis")}
        self._kind = kind
        self.names = [name.decode() for name in described["names"].s]
        self.shapes = [tf.TensorShape(shape) for shape in described["shapes"].shape]
        self.dtypes = [tf.as_dtype(dtype) for dtype in described["dtypes"].type]
        self.axes = list(described["batch_axis"].i)
        self.batched = [False] * len(self.shapes)
        """Whether each tensor has the batch as dimension 0."""

    def tensors(self, nodes: dict[str, Any], others: Sequence[str]) -> list[str]:
        """The tensors in the graph: those of the operator's names, as older compilers wrote them, else the first
        output of each of the nodes ``others``. Raises ValueError where they are not as many as the operator says."""
        named = all(":" in name and name.partition(":")[0] in nodes for name in self.names)
        tensors = list(self.names) if named and self.names else [f"{name}:0" for name in others]
        if not tensors or any(len(tensors) != len(each) for each in (self.names, self.shapes, self.dtypes)):
            raise ValueError(f"it has {len(tensors)} {self._kind}s, and the operator {len(self.names)}")
        return tensors


def _batch(inputs: _Side, outputs: _Side) -> int:
    """Find the compiled batch, 0 where there is none, and mark the tensors that have it. Raises ValueError where the
    operator has several batches, or outputs with a batch but no such input."""
    sides = inputs, outputs
    if all(len(side.axes) == len(side.shapes) for side in sides):  # else the operator does not say
        for side in sides:
            side.batched = [axis == 0 for axis in side.axes]
    sizes = {shape[0] for side in sides for shape, batched in zip(side.shapes, side.batched) if batched}
    if len(sizes) > 1 or None in sizes or 0 in sizes or (any(outputs.batched) and not any(inputs.batched)):
        raise ValueError(f"its batch is {sorted(map(str, sizes))} at once")
    return sizes.pop() if sizes else 0


class Embedded:
    """The graph of one NeuronOp. ``function``: a ConcreteFunction; ``constants``: what it reads as variables of these
    names, so that all sessions share them (SPEC K5)."""

    def __init__(self, node: Any, key: str) -> None:
        """Raises ArtifactError where the graph makes no sense, is not whole, or does more than compute."""
        self._name = quoted(node.name)
        self.constants: dict[str, Any] = {}
        try:
            definition = graph_pb2.GraphDef.FromString(node.attr["graph_def"].s)
            lost = erased(memoryview(node.attr["graph_def"].s))
            if lost:
                raise self._bad(
                    f"the compiler took the large constants out of its graph (such as "
                    f"{quoted(lost)}), so its weights exist only in the hardware's own layout"
                )
            restrict(definition)
            self._lift(definition, key)
            self._definition = definition
            self._find_ends(node)
            with context.eager_mode():  # also where the caller builds a graph
                self.function = tf.function(self._call, autograph=False).get_concrete_function(*self._specs)
        except ArtifactError:
            raise
        except Refused as why:
            raise self._bad(f"its graph may not run: {why}") from None
        except DecodeError as error:
            raise self._bad("its graph cannot be read") from error
        except Exception as error:
            raise self._bad(f"its graph cannot be used: {one_line(error)}") from error

    def _bad(self, what: str) -> ArtifactError:
        return damaged(
            f"{OP} {self._name}: {what}. Compile the original model again, with neuron_adapters.tf, or save it "
            "uncompiled."
        )

    def _lift(self, definition: Any, key: str) -> None:
        """Let large constants be variables of the session, which all replicas share."""
        for node in list(definition.node):
            if node.op == "Const" and node.ByteSize() > LARGE and _is_whole(node.attr["value"].tensor, node.ByteSize()):
                value = tf.constant(tensor_util.MakeNdarray(node.attr["value"].tensor))
                name = f"neuron/{key}/{node.name}"
                self.constants[name] = value
                handle = definition.node.add(name=f"{node.name}/neuron_handle", op="VarHandleOp")
                handle.attr["dtype"].type = value.dtype.as_datatype_enum
                handle.attr["shape"].shape.CopyFrom(value.shape.as_proto())
                handle.attr["shared_name"].s = name.encode()
                node.op = "ReadVariableOp"
                node.attr.clear()
                node.attr["dtype"].type = value.dtype.as_datatype_enum
                node.input.insert(0, handle.name)

    def _find_ends(self, node: Any) -> None:
        """Find inputs and outputs in the graph."""
        nodes = {inner.name: inner for inner in self._definition.node}
        if len(nodes) != len(self._definition.node):
            raise ValueError("two of its nodes have one name")
        self._inputs, self._outputs = _Side(node, "input"), _Side(node, "output")
        placeholders = [name for name, inner in nodes.items() if inner.op == "Placeholder"]
        self._input_tensors = self._inputs.tensors(nodes, placeholders)
        self._output_tensors = self._outputs.tensors(nodes, list(_sinks(self._definition)))
        self._step = _batch(self._inputs, self._outputs)
        self._specs = [
            tf.TensorSpec([None, *shape[1:]] if batched else shape, dtype)
            for shape, dtype, batched in zip(self._inputs.shapes, self._inputs.dtypes, self._inputs.batched)
        ]

    def _call(self, *tensors: Any) -> list[Any]:
        checked = [tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, self._specs)]
        results = self._any_batch(checked) if any(self._inputs.batched) else self._once(checked)
        for result, dtype in zip(results, self._outputs.dtypes):
            if result.dtype != dtype:
                raise ValueError(f"it returns {result.dtype.name}, and the operator {dtype.name}")
        return results

    def _once(self, tensors: Sequence[Any]) -> list[Any]:
        inputs = dict(zip(self._input_tensors, tensors))
        return list(
            tf.graph_util.import_graph_def(
                self._definition, input_map=inputs, return_elements=self._output_tensors, name=""
            )
        )

    def _any_batch(self, tensors: Sequence[Any]) -> list[Any]:
        counts = [tf.shape(tensor)[0] for tensor, batched in zip(tensors, self._inputs.batched) if batched]
        with tf.control_dependencies([tf.debugging.assert_equal(count, counts[0]) for count in counts[1:]]):
            rows = tf.identity(counts[0])
        # No branch for the usual batch: TensorFlow looks into both, and refuses one.
        results = self._slices(tensors, rows)
        for result, batched, shape in zip(results, self._outputs.batched, self._outputs.shapes):
            result.set_shape([None, *shape[1:]] if batched else shape)
        return results

    def _slices(self, tensors: Sequence[Any], rows: Any) -> list[Any]:
        """Run on slices of the compiled batch. An output without a batch is the last slice's."""
        step, batched_inputs = self._step, self._inputs.batched
        count = tf.maximum((rows + step - 1) // step, 1)
        filled = [
            tf.pad(tensor, [[0, count * step - rows], *[[0, 0]] * (len(tensor.shape) - 1)]) if batched else tensor
            for tensor, batched in zip(tensors, batched_inputs)
        ]
        arrays = [tf.TensorArray(dtype, count, infer_shape=False) for dtype in self._outputs.dtypes]

        def run(index: Any, arrays: Any) -> Any:
            slice_ = [
                tf.ensure_shape(tensor[index * step : (index + 1) * step] if batched else tensor, shape)
                for tensor, batched, shape in zip(filled, batched_inputs, self._inputs.shapes)
            ]
            return index + 1, [array.write(index, result) for array, result in zip(arrays, self._once(slice_))]

        _index, arrays = tf.while_loop(
            lambda index, _arrays: index < count, run, (tf.constant(0), arrays), parallel_iterations=1
        )
        return [
            array.concat()[:rows] if batched else array.read(count - 1)
            for array, batched in zip(arrays, self._outputs.batched)
        ]


def of(node: Any) -> Embedded:
    """The graph of a NeuronOp; equal graphs share one while it is in use. Raises ArtifactError."""
    digest = hashlib.sha256()
    for name in _DESCRIBED:
        digest.update(node.attr[name].SerializeToString(deterministic=True))
    key = digest.hexdigest()[:32]
    with _guard:
        embedded = _known.get(key)
        if embedded is None:
            embedded = _known[key] = Embedded(node, key)
        return embedded


def of_bytes(node: bytes | memoryview) -> Embedded:
    """The graph of a NeuronOp in the bytes of a node. Raises ArtifactError."""
    try:
        return of(node_def_pb2.NodeDef.FromString(bytes(node)))
    except DecodeError as error:
        raise ArtifactError(f"a {OP} cannot be read: {error}") from error


def inline(definition: Any) -> list[Embedded]:
    """Replace the NeuronOps of a GraphDef, and of the functions in it, by calls of their graphs, and return these. They
    read large constants as variables of the session. Raises ArtifactError."""
    called: dict[str, Embedded] = {}
    for node in _neuron_ops(definition.node):
        _call_instead(node, called)
    for function in definition.library.function:
        names = [node.name for node in _neuron_ops(function.node_def)]
        for node in _neuron_ops(function.node_def):
            _call_instead(node, called)
        for name in names:
            for node in function.node_def:
                for index, tensor in enumerate(node.input):
                    if tensor.startswith(f"{name}:output_tensors:"):
                        node.input[index] = tensor.replace(":output_tensors:", ":output:")
            for key, tensor in list(function.ret.items()):
                if tensor.startswith(f"{name}:output_tensors:"):
                    function.ret[key] = tensor.replace(":output_tensors:", ":output:")
    for embedded in called.values():
        definition.library.function.extend(embedded.function.graph.as_graph_def().library.function)
        definition.library.function.append(embedded.function.function_def)
    return list(called.values())


def _neuron_ops(nodes: Any) -> list[Any]:
    return [node for node in nodes if node.op == OP]


def _call_instead(node: Any, called: dict[str, Embedded]) -> None:
    embedded = of(node)
    name = embedded.function.function_def.signature.name
    called[name] = embedded
    inputs, outputs = list(node.attr["input_dtypes"].list.type), list(node.attr["output_dtypes"].list.type)
    node.op = "StatefulPartitionedCall"
    node.attr.clear()
    node.attr["Tin"].list.type.extend(inputs)
    node.attr["Tout"].list.type.extend(outputs)
    node.attr["f"].func.name = name
    for setting in ("config", "config_proto", "executor_type"):
        node.attr[setting].s = b""


def _is_whole(tensor: Any, written: int) -> bool:
    """Whether a constant is of numbers and has them written out: a few bytes can stand for any number of equal ones."""
    dtype = tf.as_dtype(tensor.dtype)
    return is_plain(dtype) and tf.TensorShape(tensor.tensor_shape).num_elements() * dtype.size <= 8 * written


def _sinks(definition: Any) -> Iterator[str]:
    """Nodes whose output no node takes."""
    taken = {name.lstrip("^").partition(":")[0] for node in definition.node for name in node.input}
    for node in definition.node:
        if node.name not in taken and node.op not in ("Placeholder", "NoOp", "Const"):
            yield node.name
