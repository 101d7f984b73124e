"""Sequences that cells are unrolled along: one array or symbol with a time axis, or a list with one for each step."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon.parameter import tensor_types
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol


class Steps(NamedTuple):
    """A sequence, its time axis, the functions for it, and how many samples it has (0 for symbols)."""

    data: Any
    axis: int
    F: ModuleType
    batch_size: int


def as_steps(length: int | None, inputs: Any, layout: str, merge: bool | None) -> Steps:
    """Return ``inputs`` as one (``merge``), as a list (False), or as they are (None).

    Raises MXNetError where there are not ``length`` steps.
    """
    if inputs is None:
        raise MXNetError("unroll() takes inputs: an array, a symbol, or a list with one for each step.")
    axis, batch_axis = layout.find("T"), layout.find("N")
    if isinstance(inputs, tensor_types):
        F: ModuleType = symbol if isinstance(inputs, Symbol) else ndarray
        batch_size = inputs.shape[batch_axis] if isinstance(inputs, NDArray) else 0
        if merge is False:
            inputs = _split(F, inputs, axis, length)
        return Steps(inputs, axis, F, batch_size)
    if length is not None and len(inputs) != length:
        raise MXNetError(f"unroll() of {length} steps got {len(inputs)} inputs.")
    F = symbol if isinstance(inputs[0], Symbol) else ndarray
    batch_size = inputs[0].shape[0] if isinstance(inputs[0], NDArray) else 0
    return Steps(F.stack(*inputs, axis=axis) if merge else inputs, axis, F, batch_size)


def _split(F: ModuleType, inputs: Any, axis: int, length: int | None) -> list[Any]:
    if isinstance(inputs, Symbol):
        if len(inputs.list_outputs()) != 1:
            raise MXNetError("unroll() does not take a group of symbols: give it list(inputs).")
        return list(F.split(inputs, axis=axis, num_outputs=length, squeeze_axis=1))
    if length is not None and length != inputs.shape[axis]:
        raise MXNetError(
            f"unroll() of {length} steps got an array of shape {inputs.shape}, {inputs.shape[axis]} steps."
        )
    return listed(F.split(inputs, axis=axis, num_outputs=inputs.shape[axis], squeeze_axis=1))


def listed(value: Any) -> list[Any]:
    """Return a list of it."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def masked(F: ModuleType, data: Any, length: int, valid_length: Any, axis: int, merge: bool | None) -> Any:
    """Set what comes after each sample's length to 0."""
    if not isinstance(data, tensor_types):
        data = F.stack(*data, axis=axis)
    out = F.SequenceMask(data, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return out if merge else listed(F.split(out, num_outputs=length, axis=axis, squeeze_axis=True))


def backwards(steps: Sequence[Any], length: int, valid_length: Any = None) -> list[Any]:
    """Return the steps from the last one to the first; of each sample those within its length."""
    if valid_length is None:
        return list(reversed(steps))
    F = symbol if isinstance(steps[0], Symbol) else ndarray
    turned = F.SequenceReverse(F.stack(*steps, axis=0), sequence_length=valid_length, use_sequence_length=True)
    if length > 1 or F is symbol:
        return list(F.split(turned, axis=0, num_outputs=length, squeeze_axis=True))
    return [turned[0]]


def last_states(F: ModuleType, states: Sequence[Sequence[Any]], valid_length: Any) -> list[Any]:
    """Return the states after each sample's last step. ``states``: those of each step."""
    return [
        F.SequenceLast(F.stack(*of_state, axis=0), sequence_length=valid_length, use_sequence_length=True, axis=0)
        for of_state in zip(*states)
    ]
