"""Looks up operators, and imports them at the first look-up: they are slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator


def find(name: str) -> Operator | None:
    """The operator of that name, None where there is none."""
    from neuron_adapters.mxnet import operators

    return operators.find(name)


def names() -> list[str]:
    """All names, aliases included."""
    from neuron_adapters.mxnet import operators

    return operators.names()
