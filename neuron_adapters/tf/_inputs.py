"""Checks the inputs of a compiled model: compares quickly, then explains what differs (SPEC K1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from neuron_adapters.files.record import Record
from neuron_adapters.tf._errors import InputArgumentError


class Inputs:
    """The tensors that a model was compiled for. ``kinds``: dtype and shape of each, as an eager tensor says them; a
    call whose tensors are of these kinds needs no further check."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.kinds = [(tf.as_dtype(dtype).as_datatype_enum, shape) for _name, shape, dtype in record.inputs]

    def check(self, tensors: Sequence[Any]) -> None:
        """Raises InputArgumentError where the tensors are not what was compiled."""
        inputs = self._record.inputs
        if len(tensors) != len(inputs):
            raise InputArgumentError(
                f"The model was compiled for {len(inputs)} input tensor(s), and was called with {len(tensors)}."
            )
        batches = {
            self._first_dimension(name, shape, dtype, tensor) for (name, shape, dtype), tensor in zip(inputs, tensors)
        }
        if len(batches) > 1:
            raise InputArgumentError(f"The inputs of one call need one batch, got {sorted(batches)} as dimension 0.")

    def _first_dimension(self, name: str, shape: tuple[int, ...], dtype: str, tensor: Any) -> int:
        """Dimension 0 of an input, 0 for a scalar."""
        dynamic = self._record.dynamic_batch
        actual = tuple(tensor.shape)
        fits = actual == shape or (dynamic and len(actual) == len(shape) and actual[1:] == shape[1:])
        if fits and tensor.dtype.name == dtype:
            return actual[0] if actual else 0
        free = " (dimension 0 may vary)" if dynamic else ""
        hint = ""
        if not dynamic and actual[1:] == shape[1:]:
            hint = " NEURON_CC_FLAGS=--dynamic-batch-size at compile time lets dimension 0 vary."
        raise InputArgumentError(
            f"Input {name} of the compiled model is {dtype} of shape {list(shape)}{free}, "
            f"got {tensor.dtype.name} of shape {list(actual)}.{hint}"
        )
