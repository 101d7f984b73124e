"""Nested lists of arrays or symbols, as control flow takes and gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from neuron_adapters.mxnet.base import MXNetValueError

#: Builds the nest again from the leaves in order.
Regroup = Callable[[Iterator[Any]], Any]


def flatten(nest: Any, kind: type, what: str) -> tuple[list[Any], Regroup]:
    """Return the leaves of a nest in order, and what builds the nest of others. Raises MXNetValueError for a leaf that
    is not of ``kind``."""
    if isinstance(nest, kind):
        return [nest], next
    if not isinstance(nest, (list, tuple)):
        raise MXNetValueError(f"{what}: expected nested lists of {kind.__name__}s, got {nest!r}.")
    parts = [flatten(each, kind, what) for each in nest]
    return [leaf for leaves, _build in parts for leaf in leaves], lambda leaves: [build(leaves) for _, build in parts]


def as_list(value: Any) -> list[Any]:
    """Return a list of ``value``; none at all for None."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
