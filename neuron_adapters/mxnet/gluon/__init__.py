"""``mx.gluon``: blocks made of graphs, as files and as compiled models come."""

from __future__ import annotations

import importlib
from typing import Any

from neuron_adapters.mxnet._training import refuse_block
from neuron_adapters.mxnet.gluon import block, nn, parameter, utils
from neuron_adapters.mxnet.gluon.block import SymbolBlock
from neuron_adapters.mxnet.gluon.parameter import Parameter, ParameterDict

__all__ = ["Parameter", "ParameterDict", "SymbolBlock", "block", "nn", "parameter", "utils"]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "data":
        return importlib.import_module(f"{__name__}.data")
    return refuse_block(name)
