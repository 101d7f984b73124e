"""A traced function in sessions of its own, which compute on the CPUs of a replica and nowhere else (SPEC X1, K2)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from neuron_adapters.tf._framework import flush_denormals, make_session
from neuron_adapters.tf._graphs import CannotSeparate, refuse
from neuron_adapters.tf._neuron_op_graph import inline
from neuron_adapters.tf._weights import Weights, is_variable, variable_type
from neuron_rt import Slot

_thread = context.context()._thread_local_data
_Tensor = ops.EagerTensor


class _Devices(dict[str, str | None]):
    """How to ask for a tensor on a device, by the name that ``tf.device`` sets, which is empty outside.

    A tensor that is asked for by name is moved there, at 5 to 20 us even from the host to the host. None leaves it with
    the host, so it stands for each name that means the host.
    """

    def __missing__(self, name: str) -> str | None:
        # An array, as of a result: before TensorFlow 2.21 a number without a device ends the process.
        array = np.zeros((), np.float32)
        left, moved = (_Tensor(array, device, tf.float32.as_datatype_enum) for device in (None, name))
        same = (left.device, left.backing_device) == (moved.device, moved.backing_device)
        self[name] = device = None if same else name
        return device


_devices = _Devices()


class Packer:
    """Packs arrays into the structure that a function returns."""

    def __init__(self, function: Any) -> None:
        self._structure = function.structured_outputs
        self._dtypes = [tensor.dtype.as_datatype_enum for tensor in function.outputs]
        self._only = self._dtypes[0] if isinstance(self._structure, (tf.Tensor, tf.TensorSpec)) else None

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """The function's result. ``arrays`` become its memory, so nothing may write to them any more."""
        device = _devices[_thread.device_name]
        if self._only is not None:
            return _Tensor(arrays[0], device, self._only)
        tensors = iter([_Tensor(array, device, dtype) for array, dtype in zip(arrays, self._dtypes)])
        leaves = [None if leaf is None else next(tensors) for leaf in tf.nest.flatten(self._structure)]
        return tf.nest.pack_sequence_as(self._structure, leaves)


class Inference:
    """One function at one set of shapes: a graph, and a session for each way of running it."""

    def __init__(self, function: Any, weights: Weights, *, optimize: bool) -> None:
        """``function``: a ConcreteFunction. ``optimize``: whether TensorFlow may rewrite the graph; without, results
        are those of eager calls, bit for bit. Raises CannotSeparate."""
        graph = function.graph
        self._graph_def = graph.as_graph_def()
        self._embedded = inline(self._graph_def)  # what the hardware would run, as TensorFlow's operators
        refuse(graph, self._graph_def)
        self.function = function  # keeps what it captured
        self.outputs: list[tf.Tensor] = list(graph.outputs)
        self.pack = Packer(function)
        self._weights = weights
        self._optimize = optimize
        self._numbers: list[int] = []
        captures = {placeholder.op.name: value for value, placeholder in graph.captures}
        self._variables = [self._own(node, captures) for node in list(self._graph_def.node) if node.name in captures]
        for embedded in self._embedded:
            self._variables += [self._shared(name, value) for name, value in embedded.constants.items()]
        self._inputs = [tensor.name for tensor in graph.inputs if tensor.op.name not in captures]
        self._runs: dict[Hashable, Callable[..., list[Any]]] = {}
        self._guard = threading.RLock()

    def run(self, slot: Slot) -> Callable[..., list[Any]]:
        """A function of arrays that computes on ``slot``."""
        return self._runs.get((slot.threads, slot.cpus)) or self.run_with(slot.threads, slot.cpus)

    def run_with(self, threads: int, cpus: frozenset[int] = frozenset()) -> Callable[..., list[Any]]:
        """A function of arrays that computes with ``threads`` threads on ``cpus``. A single thread is the caller's, so
        all replicas share one session then."""
        with self._guard:
            key = threads, cpus
            alike = (1, frozenset()) if threads == 1 else key
            if alike not in self._runs:
                self._runs[alike] = self._open(threads, cpus)
            self._runs[key] = self._runs[alike]
            return self._runs[key]

    def _own(self, node: Any, captures: dict[str, Any]) -> tuple[str, tf.DType, tf.TensorShape]:
        """Let a captured variable or constant be a variable of the session."""
        value = captures[node.name]
        handle = node
        if value.dtype == tf.resource:
            if not is_variable(value):
                raise CannotSeparate("it looks things up in a table of the process")
            dtype, shape = variable_type(value)
            self._numbers.append(self._weights.add(value))
        else:
            dtype, shape = value.dtype, value.shape
            self._numbers.append(self._weights.add_constant(value))
            handle = self._graph_def.node.add(name=f"{node.name}/handle")
            node.op = "ReadVariableOp"
            node.attr.clear()
            node.attr["dtype"].type = dtype.as_datatype_enum
            node.input.append(handle.name)
        return _handle(handle, handle.name, dtype, shape)

    def _shared(self, name: str, value: Any) -> tuple[str, tf.DType, tf.TensorShape]:
        """Let a constant of an embedded graph be a variable of the session, which the graph reads by its name."""
        self._numbers.append(self._weights.add_constant(value))
        node = self._graph_def.node.add(name=name)
        return _handle(node, name, value.dtype, value.shape)

    def _open(self, threads: int, cpus: frozenset[int]) -> Callable[..., list[Any]]:
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(self._graph_def, name="")
            values = [tf.compat.v1.placeholder(dtype, shape) for _name, dtype, shape in self._variables]
            assigns = [
                tf.raw_ops.AssignVariableOp(resource=graph.get_tensor_by_name(f"{name}:0"), value=value).name
                for (name, _dtype, _shape), value in zip(self._variables, values)
            ]
        session = make_session(graph, threads, cpus, optimize=self._optimize)
        compute = _callable(session, self._inputs, fetch=[output.name for output in self.outputs])
        weights, numbers = self._weights, self._numbers
        if not assigns:
            return compute
        assign = _callable(session, [value.name for value in values], target=assigns)
        assigning = threading.RLock()
        assigned: Any = None

        def run(*arrays: Any) -> list[Any]:
            nonlocal assigned
            if assigned is not weights.held:
                with assigning:
                    held = weights.held
                    assign(*[held[number] for number in numbers])
                    assigned = held
            return compute(*arrays)

        return run


def _handle(node: Any, shared: str, dtype: tf.DType, shape: tf.TensorShape) -> tuple[str, tf.DType, tf.TensorShape]:
    node.op = "VarHandleOp"
    node.attr.clear()
    node.attr["dtype"].type = dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(shape.as_proto())
    node.attr["shared_name"].s = shared.encode()
    return node.name, dtype, shape


def _callable(
    session: Any, feed: Sequence[str], *, fetch: Sequence[str] = (), target: Sequence[str] = ()
) -> Callable[..., list[Any]]:
    """A function of arrays for ``feed``. It costs a seventh of ``session.make_callable``, which looks up every name at
    each call."""
    options = config_pb2.CallableOptions(feed=feed, fetch=fetch, target=target)
    compute = session._make_callable_from_options(options)
    return lambda *arrays: (flush_denormals(), compute(*arrays))[1]
