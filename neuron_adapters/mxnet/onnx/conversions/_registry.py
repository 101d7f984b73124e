"""The conversions by ONNX's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.symbol import Symbol

Conversion = Callable[[Call], Symbol | Sequence[Symbol | None]]

#: A conversion returns the symbol of the node's output, or those of its outputs; None for one that MXNet lacks.
CONVERSIONS: dict[str, Conversion] = {}


def converts(*names: str) -> Callable[[Conversion], Conversion]:
    """Register the decorated conversion of these operators."""

    def register(conversion: Conversion) -> Conversion:
        CONVERSIONS.update(dict.fromkeys(names, conversion))
        return conversion

    return register
