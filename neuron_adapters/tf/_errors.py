"""Errors that are both the runtime's and TensorFlow's, since scripts catch what the plug-in raised."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from neuron_rt import CompileError, InputMismatchError, NeuronError


class _InvalidArgumentError(NeuronError, tf.errors.InvalidArgumentError):  # type: ignore[misc]
    """tf.errors.InvalidArgumentError with the fields of a NeuronError."""

    def __init__(self, message: str, **fields: Any) -> None:
        tf.errors.InvalidArgumentError.__init__(self, None, None, message)
        self.args = (message,)
        self.__dict__.update(fields)


class InputArgumentError(_InvalidArgumentError, InputMismatchError):
    """A compiled model was called with inputs other than those it was compiled for."""


class MulticoreArgumentError(_InvalidArgumentError, CompileError):
    """auto_multicore was asked for a number of NeuronCores that makes no sense (SPEC R3)."""
