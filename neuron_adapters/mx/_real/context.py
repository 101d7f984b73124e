"""``mx.neuron(i)`` for the real mxnet: a context whose memory is the machine's."""

from __future__ import annotations

from typing import Any

import mxnet as mx

from neuron_adapters.mxnet.context import Context

__all__ = ["NeuronContext", "neuron", "place_of"]


class NeuronContext(mx.Context):  # type: ignore[misc] # mxnet has no types
    """The NC, or the group, at which a graph starts (SPEC P3). Arrays made in it are plain arrays of ``cpu(0)``.

    ``str`` says ``cpu(0)``: with it mxnet tells its library where to make an array.
    """

    def __init__(self, start_nc: int = 0) -> None:
        """Raises ValueError where ``start_nc`` is not a whole number from 0."""
        self.start_nc = Context("neuron", start_nc).device_id
        super().__init__("cpu", 0)

    @property
    def device_type(self) -> str:
        """The text "neuron"."""
        return "neuron"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NeuronContext) and other.start_nc == self.start_nc

    def __hash__(self) -> int:
        return hash(("neuron", self.start_nc))

    def __repr__(self) -> str:
        return f"neuron({self.start_nc})"

    def __str__(self) -> str:
        return "cpu(0)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


def neuron(start_nc: int = 0) -> NeuronContext:
    """Return the context of the NeuronCore, counted among the visible ones, at which a model starts; with
    NEURONCORE_GROUP_SIZES set, the index is that of the group (SPEC P3)."""
    return NeuronContext(start_nc)


def place_of(context: Any) -> Context:
    """Convert to this package's own Context."""
    return Context("neuron", context.start_nc) if isinstance(context, NeuronContext) else Context("cpu")
