"""The graph in a ``NeuronOp``: the part of the original model that it was compiled from, as a function (SPEC K6).

The graph does not use the operator's names: its i-th placeholder is the i-th input, its i-th sink the i-th output.
Where dimension 0 was left open, the hardware ran as many pieces of the compiled batch as it took, the last one filled
up with zeros; so does the function here, since the graph may hold that batch anywhere.
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

_DESCRIBED = ("graph_def", "input_names", "output_names", "input_shapes", "output_shapes", "input_batch_axis",
              "output_batch_axis", "input_dtypes", "output_dtypes")  # fmt: skip
_known: weakref.WeakValueDictionary[str, Embedded] = weakref.WeakValueDictionary()
_guard = threading.RLock()


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
            self._ends(node)
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

    def _ends(self, node: Any) -> None:
        """Find inputs and outputs in the graph."""
        attr = {name: node.attr[name].list for name in _DESCRIBED[1:]}
        nodes = {one.name: one for one in self._definition.node}
        if len(nodes) != len(self._definition.node):
            raise ValueError("two of its nodes have one name")
        named_inputs = [name.decode() for name in attr["input_names"].s]
        named_outputs = [name.decode() for name in attr["output_names"].s]
        self._inputs = _found(named_inputs, nodes) or [
            f"{one.name}:0" for one in self._definition.node if one.op == "Placeholder"
        ]
        self._outputs = _found(named_outputs, nodes) or [f"{one}:0" for one in _sinks(self._definition)]
        shapes = [tf.TensorShape(one) for one in attr["input_shapes"].shape]
        self._shapes = [tf.TensorShape(one) for one in attr["output_shapes"].shape]
        dtypes = [tf.as_dtype(one) for one in attr["input_dtypes"].type]
        self._dtypes = [tf.as_dtype(one) for one in attr["output_dtypes"].type]
        for what, found, described in (
            ("inputs", self._inputs, (named_inputs, shapes, dtypes)),
            ("outputs", self._outputs, (named_outputs, self._shapes, self._dtypes)),
        ):
            if any(len(found) != len(one) for one in described) or not found:
                raise ValueError(f"it has {len(found)} {what}, and the operator {len(described[0])}")
        axes = list(attr["input_batch_axis"].i), list(attr["output_batch_axis"].i)
        whole = len(axes[0]) == len(shapes) and len(axes[1]) == len(self._shapes)
        self._batched = [whole and axis == 0 for axis in axes[0]] if whole else [False] * len(shapes)
        self._joined = [whole and axis == 0 for axis in axes[1]] if whole else [False] * len(self._shapes)
        sizes = {shape[0] for shape, batched in zip(shapes, self._batched) if batched}
        sizes |= {shape[0] for shape, joined in zip(self._shapes, self._joined) if joined}
        if len(sizes) > 1 or None in sizes or 0 in sizes or (any(self._joined) and not any(self._batched)):
            raise ValueError(f"its batch is {sorted(map(str, sizes))} at once")
        self._step = sizes.pop() if sizes else 0
        self._wanted = shapes
        self._specs = [
            tf.TensorSpec([None, *shape[1:]] if batched else shape, dtype)
            for shape, dtype, batched in zip(shapes, dtypes, self._batched)
        ]

    def _call(self, *tensors: Any) -> list[Any]:
        checked = [tf.ensure_shape(one, spec.shape) for one, spec in zip(tensors, self._specs)]
        results = self._any_batch(checked) if any(self._batched) else self._once(checked)
        for result, dtype in zip(results, self._dtypes):
            if result.dtype != dtype:
                raise ValueError(f"it returns {result.dtype.name}, and the operator {dtype.name}")
        return results

    def _once(self, tensors: Sequence[Any]) -> list[Any]:
        return list(
            tf.graph_util.import_graph_def(
                self._definition, input_map=dict(zip(self._inputs, tensors)), return_elements=self._outputs, name=""
            )
        )

    def _any_batch(self, tensors: Sequence[Any]) -> list[Any]:
        counts = [tf.shape(one)[0] for one, batched in zip(tensors, self._batched) if batched]
        with tf.control_dependencies([tf.debugging.assert_equal(one, counts[0]) for one in counts[1:]]):
            rows = tf.identity(counts[0])
        results = self._pieces(
            tensors, rows
        )  # no branch for the usual batch: TensorFlow looks into both, and refuses one
        for result, joined, shape in zip(results, self._joined, self._shapes):
            result.set_shape([None, *shape[1:]] if joined else shape)
        return list(results)

    def _compiled(self, tensors: Sequence[Any]) -> list[Any]:
        return [tf.ensure_shape(one, shape) for one, shape in zip(tensors, self._wanted)]

    def _pieces(self, tensors: Sequence[Any], rows: Any) -> list[Any]:
        """Run on pieces of the compiled batch. What has no batch is the last piece's."""
        step = self._step
        pieces = tf.maximum((rows + step - 1) // step, 1)
        filled = [
            tf.pad(one, [[0, pieces * step - rows], *[[0, 0]] * (len(one.shape) - 1)]) if batched else one
            for one, batched in zip(tensors, self._batched)
        ]
        arrays = [tf.TensorArray(dtype, pieces, infer_shape=False) for dtype in self._dtypes]

        def run(index: Any, arrays: Any) -> Any:
            given = [
                one[index * step : (index + 1) * step] if batched else one
                for one, batched in zip(filled, self._batched)
            ]
            return index + 1, [array.write(index, one) for array, one in zip(arrays, self._once(self._compiled(given)))]

        _index, arrays = tf.while_loop(
            lambda index, _arrays: index < pieces, run, (tf.constant(0), arrays), parallel_iterations=1
        )
        return [
            array.concat()[:rows] if joined else array.read(pieces - 1) for array, joined in zip(arrays, self._joined)
        ]


def of(node: Any) -> Embedded:
    """The graph of a NeuronOp, the same for the same graph while somebody has it. Raises ArtifactError."""
    digest = hashlib.sha256()
    for name in _DESCRIBED:
        digest.update(node.attr[name].SerializeToString(deterministic=True))
    key = digest.hexdigest()[:32]
    with _guard:
        found = _known.get(key)
        if found is None:
            found = _known[key] = Embedded(node, key)
        return found


def of_bytes(node: bytes | memoryview) -> Embedded:
    """The same for the bytes of a node. Raises ArtifactError."""
    try:
        return of(node_def_pb2.NodeDef.FromString(bytes(node)))
    except DecodeError as error:
        raise ArtifactError(f"a {OP} cannot be read: {error}") from error


def inline(definition: Any) -> list[Embedded]:
    """Replace the NeuronOps of a GraphDef, and of the functions in it, by calls of their graphs; what was called.
    They read large constants as variables of the session. Raises ArtifactError."""
    called: dict[str, Embedded] = {}
    for node in _neuron_ops(definition.node):
        _call_instead(node, called)
    for function in definition.library.function:
        names = [node.name for node in _neuron_ops(function.node_def)]
        for node in _neuron_ops(function.node_def):
            _call_instead(node, called)
        for name in names:
            for node in function.node_def:
                for index, given in enumerate(node.input):
                    if given.startswith(f"{name}:output_tensors:"):
                        node.input[index] = given.replace(":output_tensors:", ":output:")
            for key, given in list(function.ret.items()):
                if given.startswith(f"{name}:output_tensors:"):
                    function.ret[key] = given.replace(":output_tensors:", ":output:")
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
    for empty in ("config", "config_proto", "executor_type"):
        node.attr[empty].s = b""


def _found(names: Sequence[str], nodes: dict[str, Any]) -> list[str]:
    """Tensors of these names, as older compilers wrote them; empty where they are other names."""
    return list(names) if all(":" in name and name.partition(":")[0] in nodes for name in names) else []


def _is_whole(tensor: Any, written: int) -> bool:
    """Whether a constant is of numbers and has them written out: a few bytes can stand for any number of equal ones."""
    dtype = tf.as_dtype(tensor.dtype)
    return is_plain(dtype) and tf.TensorShape(tensor.tensor_shape).num_elements() * dtype.size <= 8 * written


def _sinks(definition: Any) -> Iterator[str]:
    """Nodes whose output nobody takes."""
    taken = {given.lstrip("^").partition(":")[0] for node in definition.node for given in node.input}
    for node in definition.node:
        if node.name not in taken and node.op not in ("Placeholder", "NoOp", "Const"):
            yield node.name
