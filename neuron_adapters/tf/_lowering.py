"""Lowers a function of TensorFlow's to the engine, and calls it there.

``lower`` runs when a model is compiled: it converts, and compares all results with TensorFlow's (SPEC K3).
``open_program`` runs at every load. ``Compiled.call`` is what a pool keeps: a request with its buffers.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from neuron_adapters.adapter.guards import QUIET, guard
from neuron_adapters.adapter.lowering import EXAMPLE, SMALL, Trial, converting, race, seconds_of, trials, trying
from neuron_adapters.files import openvino_ir
from neuron_adapters.files.openvino_ir import Lowered
from neuron_rt import CompileError, CpuSet, Deployment, Engine, EngineError, RequestPool

Array = np.ndarray[Any, Any]

#: What the addresses of tensors are multiples of, here as in TensorFlow.
_ALIGNMENT = 64
#: Constants of more bytes are kept out of the conversion: it would change them, and the file had to store them again.
LARGE = 1 << 10

_CONTROL_FLOW = {
    "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall",
    "StatefulPartitionedCall", "Enter", "Switch",
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """Shapes and dtypes of what goes in and what comes out."""

    inputs: list[tuple[tuple[int, ...], np.dtype[Any]]]
    outputs: list[tuple[tuple[int, ...], np.dtype[Any]]]

    @classmethod
    def of(cls, inputs: Sequence[Any], outputs: Sequence[Any]) -> Shape:
        """The shapes and dtypes in two records of tensors."""
        return cls(*([(shape, _dtype(dtype)) for _path, shape, dtype in leaves] for leaves in (inputs, outputs)))


class Compiled:
    """A lowered model in this process."""

    def __init__(self, deployment: Deployment, shape: Shape) -> None:
        self.deployment = deployment
        self.shape = shape

    def call(self, pool: RequestPool) -> Callable[[Sequence[Array]], list[Array] | None]:
        """A new request of ``pool`` with its buffers: a function of arrays. None comes out where a guard spoke, so that
        TensorFlow has to answer (SPEC K3)."""
        return _Call(pool.request(), self.shape)


class _Call:
    """A request with its buffers. Small arrays are copied, larger ones read and written where they are."""

    def __init__(self, request: Any, shape: Shape) -> None:
        self._inputs = [_small_buffer(*spec) for spec in shape.inputs]
        self._outputs = [_small_buffer(*spec) for spec in shape.outputs]
        self._alarm = _buffer((), np.dtype(np.float32))
        sizes = tuple(_size(*spec) for spec in shape.inputs), (*(_size(*spec) for spec in shape.outputs), 4)
        if request.sizes != sizes:
            raise EngineError("its tensors are not those of the record")
        self._request = request
        self._run = request.run
        self._shape = shape
        self._at = [0] * len(self._inputs)
        self._copies: dict[int, Array] = {}
        for index, buffer in enumerate(self._inputs):
            if buffer is not None:
                request.set_input(index, _address(buffer))
        for index, buffer in enumerate([*self._outputs, self._alarm]):
            if buffer is not None:
                request.set_output(index, _address(buffer))
        self._small = all(buffer is not None for buffer in self._outputs)  # the quick way

    def __call__(self, arrays: Sequence[Array]) -> list[Array] | None:
        """Run; None where a guard spoke. ``arrays`` are kept alive by the caller until this returns."""
        for index, array in enumerate(arrays):
            buffer = self._inputs[index]
            if buffer is not None:
                buffer[...] = array
            else:
                self._place(index, array)
        targets: Any = self._outputs if self._small else [self._target(index) for index in range(len(self._outputs))]
        self._run()
        if not self._alarm.item() <= QUIET:  # NaN is not, either
            return None
        if self._small:
            return [buffer.copy() for buffer in targets]
        return [target if self._outputs[index] is None else target.copy() for index, target in enumerate(targets)]

    def _place(self, index: int, array: Array) -> None:
        """Let the request read ``array`` where it is, or a copy in a row."""
        address = _address(array)
        if address % _ALIGNMENT or not array.flags.c_contiguous:
            if index not in self._copies:
                self._copies[index] = _buffer(*self._shape.inputs[index])
            np.copyto(self._copies[index], array)
            address = _address(self._copies[index])
        if address != self._at[index]:
            self._request.set_input(index, address)
            self._at[index] = address

    def _target(self, index: int) -> Array:
        """The buffer of a small output, or new memory for a large one, which TensorFlow can take as it is."""
        buffer = self._outputs[index]
        if buffer is None:
            buffer = _buffer(*self._shape.outputs[index])
            self._request.set_output(index, _address(buffer))
        return buffer


class Form(NamedTuple):
    """A model's form for the engine: its text for the file, and the arrays that come out."""

    text: str
    outputs: list[Array]


def lower(
    engine: Engine,
    function: Any,
    weights: Sequence[Array],
    inputs: Sequence[Array],
    reference: Callable[[Sequence[Array]], Sequence[Array]],
    *,
    compete: bool,
    bf16: bool,
) -> tuple[Form, str]:
    """Convert ``function`` and compare with ``reference``, TensorFlow's own graph; the form, and the comparison in
    words. ``compete``: only for the quicker.

    Raises CompileError with the reason where the engine can't run it, does not agree, or is slower.
    """
    if any(array.nbytes == 0 for array in inputs):
        raise CompileError("it has an empty input")
    results = list(reference(inputs))
    with converting(engine):
        guarded = guard(_convert(function, inputs, results), bf16=bf16)
        lowered = openvino_ir.lower(guarded, [_bytes(weight) for weight in weights])
    with trying(engine):
        shape = Shape(*([(array.shape, array.dtype) for array in arrays] for arrays in (inputs, results)))
        compiled = open_program(engine, lowered, weights, shape, bf16=bf16)
        call = compiled.call(compiled.deployment.pools([CpuSet("compiler", frozenset(), 1)])[0])
        for trial in trials(inputs):
            _try(engine, reference, call, trial, results, bf16=bf16)
    why = "it agrees, and NEURON_ADAPTERS_ENGINE=openvino"
    if compete:
        why = race(engine, "TensorFlow's graph", seconds_of(lambda: reference(inputs)), lambda: call(inputs))
    return Form(lowered.dumps(), results), f"bfloat16; {why}" if bf16 else why


def open_program(engine: Engine, lowered: Lowered, weights: Sequence[Array], shape: Shape, *, bf16: bool) -> Compiled:
    """Put the lowered form together with the file's own weights. Raises ValueError where they don't fit."""
    return Compiled(Deployment(engine, lowered.program([_bytes(weight) for weight in weights]), bf16=bf16), shape)


def _convert(function: Any, inputs: Sequence[Array], outputs: Sequence[Array]) -> Any:
    """An openvino.Model of fixed shapes, its inputs and outputs in the function's order."""
    import openvino  # optional
    from openvino import opset13 as ov
    from openvino.frontend import FrontEndManager

    graph_def, names, ends, held = _portable(function)
    with tempfile.TemporaryDirectory(prefix="neuron-adapters-") as folder:
        path = Path(folder) / "graph.pb"
        path.write_bytes(graph_def.SerializeToString())
        front = FrontEndManager().load_by_framework("tf")
        model = front.load(str(path))
        for name, array in [*zip(names, inputs), *held.items()]:
            place = model.get_place_by_tensor_name(f"{name}:0")
            model.set_partial_shape(place, openvino.PartialShape(list(array.shape)))
        converted = front.convert(model)
    parameters = {
        name: parameter for parameter in converted.get_parameters() for name in parameter.output(0).get_names()
    }
    for name, array in held.items():
        if f"{name}:0" in parameters:
            constant = ov.constant(array, shared_memory=False)
            parameters[f"{name}:0"].output(0).replace(constant.output(0))
    missing = [name for name in names if f"{name}:0" not in parameters]
    if missing:
        raise CompileError(f"the conversion has no input {missing[0]}")
    results = [ov.result(converted.output(f"{end}:0").get_node().input(0).get_source_output()) for end in ends]
    model = openvino.Model(results, [parameters[f"{name}:0"] for name in names], "model")
    model.validate_nodes_and_infer_types()
    for kind, ports, arrays in (("takes", model.inputs, inputs), ("returns", model.outputs, outputs)):
        for port, array in zip(ports, arrays):
            if port.partial_shape.is_dynamic or tuple(port.shape) != array.shape:
                raise CompileError(f"the conversion {kind} {port.partial_shape} where the model has {array.shape}")
            if port.element_type.to_dtype() != array.dtype:
                raise CompileError(f"the conversion {kind} {port.element_type} where the model has {array.dtype}")
    return model


def _portable(function: Any) -> tuple[Any, list[str], list[str], dict[str, Array]]:
    """A graph without variables: its definition, the names of its inputs and outputs, and its larger constants, by the
    names of their placeholders. Raises CompileError for control flow, of which an example takes only one branch."""
    captured = {placeholder.op.name for _value, placeholder in function.graph.captures}
    names = [tensor.op.name for tensor in function.graph.inputs if tensor.op.name not in captured]
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    definition = frozen.graph.as_graph_def()
    for node in definition.node:
        if node.op in _CONTROL_FLOW:
            raise CompileError("it has control flow, and one example does not go every way")
    ends = []
    for index, tensor in enumerate(frozen.outputs):
        ends.append(f"neuron_output_{index}")
        end = definition.node.add(name=ends[-1], op="Identity", input=[tensor.name])
        end.attr["T"].type = tensor.dtype.as_datatype_enum
    needed = _reached(definition, [*ends, *names])
    held: dict[str, Array] = {}
    plain = graph_pb2.GraphDef(versions=definition.versions)
    for node in definition.node:
        if node.name not in needed:
            continue
        if node.op == "Const" and node.ByteSize() > LARGE and node.attr["dtype"].type != tf.string.as_datatype_enum:
            array = tf.make_ndarray(node.attr["value"].tensor)
            held[node.name] = array
            stand_in = plain.node.add(name=node.name, op="Placeholder")
            stand_in.attr["dtype"].type = node.attr["dtype"].type
            stand_in.attr["shape"].shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
        else:
            plain.node.add().CopyFrom(node)
    return plain, names, ends, held


def _reached(definition: Any, ends: Sequence[str]) -> set[str]:
    """Names of the nodes that ``ends`` need."""
    nodes = {node.name: node for node in definition.node}
    reached: set[str] = set()
    pending = list(ends)
    while pending:
        name = pending.pop().lstrip("^").partition(":")[0]
        if name not in reached:
            reached.add(name)
            pending.extend(nodes[name].input)
    return reached


def _try(
    engine: Engine,
    reference: Callable[[Sequence[Array]], Sequence[Array]],
    call: Callable[[Sequence[Array]], list[Array] | None],
    trial: Trial,
    results: Sequence[Array],
    *,
    bf16: bool,
) -> None:
    """Compare the engine with TensorFlow on ``trial`` (SPEC K3), which gave ``results`` for the example. Raises
    CompileError where they differ."""
    try:
        expected = reference(trial.inputs)
    except tf.errors.OpError:  # it refuses these values; so it shall when it is called
        return
    actual = call(trial.inputs)
    if actual is None:
        if trial.what == EXAMPLE:
            raise CompileError("the example has values on which only TensorFlow is exact")
        return
    before = results if trial.what == EXAMPLE else expected
    for index, (wanted, repeated, array) in enumerate(zip(expected, before, actual)):
        if not np.array_equal(wanted, repeated, equal_nan=wanted.dtype.kind == "f"):
            raise CompileError("it answers differently each time")
        largest = float(np.abs(wanted.astype("f8")).max(initial=0))
        close = trial.close(wanted.dtype.name, largest, bf16=bf16)
        if not np.allclose(wanted.astype("f8"), array.astype("f8"), equal_nan=True, **close):
            raise CompileError(f"{engine.name} does not agree with TensorFlow on output {index} for {trial.what}")


def _buffer(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Memory at an address from which TensorFlow and the engine read without a copy."""
    size = _size(shape, dtype)
    raw = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -_address(raw) % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def _small_buffer(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
    return _buffer(shape, dtype) if _size(shape, dtype) <= SMALL else None


def _size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes."""
    return math.prod(shape) * dtype.itemsize


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)  # type: ignore[no-any-return]
