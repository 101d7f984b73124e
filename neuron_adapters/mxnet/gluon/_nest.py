"""What a block takes and gives: arrays or symbols, None, and lists of those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.gluon.parameter import tensor_types

#: How leaves are nested: True for a leaf, None for None, a list of such.
Form = Any


def flattened(nest: Any, what: str) -> tuple[list[Any], Form]:
    """Return the leaves in order, without None, and how they are nested. Raises MXNetValueError for anything
    else."""
    if nest is None:
        return [], None
    if isinstance(nest, tensor_types):
        return [nest], True
    if not isinstance(nest, (list, tuple)):
        raise MXNetValueError(
            f"the {what} of a HybridBlock must be (nested) lists of Symbols or NDArrays, got {type(nest).__name__}: "
            "mx.nd.array() makes one."
        )
    parts = [flattened(each, what) for each in nest]
    return [leaf for leaves, _form in parts for leaf in leaves], [form for _leaves, form in parts]


def tensors_in(nest: Any) -> list[Any]:
    """Return the arrays and symbols of a nest, whatever else is in it."""
    if isinstance(nest, tensor_types):
        return [nest]
    return [leaf for each in nest for leaf in tensors_in(each)] if isinstance(nest, (list, tuple)) else []


def grouped(leaves: Sequence[Any], form: Form) -> Any:
    """Nest leaves again."""
    return _grouped(iter(leaves), form)


def _grouped(leaves: Iterator[Any], form: Form) -> Any:
    if form is None:
        return None
    return next(leaves) if form is True else [_grouped(leaves, each) for each in form]
