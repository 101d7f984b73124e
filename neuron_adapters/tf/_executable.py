"""Runs a compiled model: checks the inputs, slices a batch, and calls what computes.

That is the engine where the model could be lowered, else TensorFlow's own graph in a session.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neuron_adapters.adapter.executable import open_form, prepare, slices
from neuron_adapters.files.openvino_ir import Lowered
from neuron_adapters.tf import _lowering
from neuron_adapters.tf._artifact import Artifact
from neuron_adapters.tf._graphs import CannotSeparate
from neuron_adapters.tf._inference import Inference, Packer
from neuron_adapters.tf._inputs import Inputs
from neuron_adapters.tf._placed import kind_of
from neuron_adapters.tf._weights import Weights, size_of, value_of
from neuron_rt import Computation, Engine, Slot

Array = np.ndarray[Any, Any]

#: The flag that asks for another batch to be run in slices of the compiled one.
DYNAMIC = "--dynamic-batch-size"


class Executable:
    """Runs one compiled model; shared by all its replicas and loads (SPEC K5)."""

    def __init__(self, artifact: Artifact, compiled: _lowering.Compiled | None, why: str) -> None:
        """``compiled``: its form for the engine, None where TensorFlow computes. ``why``: the reason for either."""
        self.artifact = artifact
        self.why = why
        self._compiled = compiled
        self._pack = Packer(artifact.function)
        self._weights = Weights()
        self._inference: Inference | str | None = None
        self._guard = threading.RLock()
        self._inputs = Inputs(artifact.record)
        self._kinds = self._inputs.kinds  # looked up at each call
        self._sliced = artifact.record.batchable and DYNAMIC in artifact.record.flags

    @classmethod
    def open(cls, artifact: Artifact, choice: str, source: str) -> Executable:
        """The executable of a model that was compiled, maybe elsewhere. ``choice``: NEURON_ADAPTERS_ENGINE.

        Raises NeuronConfigError where the engine is asked for and not installed.
        """
        record = artifact.record

        def open_with(engine: Engine) -> _lowering.Compiled:
            shape = _lowering.Shape.of(record.inputs, record.outputs)
            lowered = Lowered.loads(artifact.program)
            return _lowering.open_program(engine, lowered, weight_arrays(artifact), shape, bf16=record.bf16)

        return cls(artifact, *open_form("TensorFlow", choice, (record.engine, record.why), source, open_with))

    def prepare(self, slots: Sequence[Slot]) -> Computation:
        """Make ready to run on ``slots``; what computes there (``neuron_rt.runtime.Prepare``)."""
        computation = prepare(slots, self._compiled, self.why, "TensorFlow")
        if isinstance(computation, Computation):
            return computation
        why = f"TensorFlow's own call is made: {self.inference}" if isinstance(self.inference, str) else computation
        return Computation("tf", why, size_of(self.artifact.weights))

    @property
    def inference(self) -> Inference | str:
        """TensorFlow's graph in a session, or the reason why it must be TensorFlow's own call."""
        if self._inference is None:
            with self._guard:
                try:
                    self._inference = self._inference or Inference(self.artifact.function, self._weights, optimize=True)
                except CannotSeparate as why:
                    self._inference = str(why)
        return self._inference

    def __call__(self, slot: Slot, tensors: Sequence[Any]) -> Any:
        """Run on ``slot`` on tensors or arrays of the compiled shapes and dtypes, or with dynamic batching of the
        compiled shapes but for dimension 0. Raises InputArgumentError (SPEC K1)."""
        kinds = [(tensor._datatype_enum(), tensor._shape_tuple()) for tensor in tensors]
        as_compiled = kinds == self._kinds
        if not as_compiled:
            self._inputs.check(tensors)
        if slot.pool is None and isinstance(self.inference, str):
            return slot.run(self.artifact.function, tensors, {})
        arrays = [tensor._numpy() for tensor in tensors]
        if slot.pool is None:
            results = slot.run(self.inference.run(slot), arrays, {}, False)  # type: ignore[union-attr] # noqa: FBT003
        elif as_compiled:
            results = slot.run(self._on_engine, (slot, arrays), {}, False)  # noqa: FBT003
        else:
            other = self._slices if self._sliced else self._by_framework
            results = slot.run(other, (slot, arrays), {}, False)  # noqa: FBT003
        return self._pack(results)

    def on_arrays(self, slot: Slot, arrays: Sequence[Array]) -> Any:
        """The same on arrays that ``fit``, in the order of the inputs. Nothing is checked."""
        if slot.pool is not None:
            return self._pack(slot.run(self._on_engine, (slot, arrays), {}, False))  # noqa: FBT003
        inference = self.inference
        if isinstance(inference, str):
            return slot.run(self.artifact.function, [tf.constant(array) for array in arrays], {})
        return self._pack(slot.run(inference.run(slot), arrays, {}, False))  # noqa: FBT003

    def fit(self, leaves: Sequence[Any]) -> bool:
        """Whether tensors or arrays have the very shapes and dtypes that were compiled."""
        return [kind_of(leaf, []) for leaf in leaves] == self._kinds

    def _on_engine(self, slot: Slot, arrays: Sequence[Array]) -> list[Array]:
        pool = slot.pool
        idle = pool.idle
        try:
            call = idle.pop()
        except IndexError:
            call = self._compiled.call(pool)  # type: ignore[union-attr]
        results: list[Array] | None = call(arrays)
        idle.append(call)  # not after an exception: where it reads and writes may be half set
        if results is None:
            pool.guarded += 1
            return self._by_framework(slot, arrays)
        return results

    def _by_framework(self, slot: Slot, arrays: Sequence[Array]) -> list[Array]:
        """TensorFlow's own answer, or its own error: to a call whose guard spoke (SPEC K3), and to another batch."""
        inference = self.inference
        if isinstance(inference, str):
            results = self.artifact.function(*map(tf.constant, arrays))
            return [tensor.numpy() for tensor in tf.nest.flatten(results)]
        return inference.run_with(slot.pool.threads, slot.cpus)(*arrays)

    def _slices(self, slot: Slot, arrays: Sequence[Array]) -> list[Array]:
        """Run another batch in slices of the compiled one."""
        step, parts = self.artifact.record.batch, []
        for first, rows in slices(len(arrays[0]), step):
            slice_ = [_rows(array, first, step) for array in arrays]
            parts.append([array[:rows] for array in self._on_engine(slot, slice_)])
        return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts)]


def weight_arrays(artifact: Artifact) -> list[Array]:
    """The model's weights where they are, in the order in which the engine's form numbers them."""
    return [value_of(variable.handle)._numpy() for variable in artifact.weights]


def _rows(array: Array, first: int, step: int) -> Array:
    """``step`` rows from ``first``, filled up with zeros where there are no more."""
    rows = array[first : first + step]
    if rows.shape[0] == step:
        return rows
    return np.concatenate([rows, np.zeros((step - rows.shape[0], *rows.shape[1:]), rows.dtype)])
