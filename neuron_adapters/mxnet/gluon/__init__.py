"""``mx.gluon``: blocks made of graphs, as files and as compiled models come."""

from __future__ import annotations

from typing import NoReturn

from neuron_adapters.mxnet.gluon import block, nn, parameter
from neuron_adapters.mxnet.gluon.block import SymbolBlock
from neuron_adapters.mxnet.gluon.parameter import Parameter, ParameterDict

__all__ = ["Parameter", "ParameterDict", "SymbolBlock", "block", "nn", "parameter"]


def __getattr__(name: str) -> NoReturn:
    hint = (
        "" if name.startswith("__") else " Build and train blocks with MXNet itself; export() writes what is read here."
    )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
