"""``mx.gluon``: blocks, which are networks in Python or graphs of files."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neuron_adapters.mxnet._training import refuse_missing, refuse_name
from neuron_adapters.mxnet.gluon import block, nn, parameter, utils
from neuron_adapters.mxnet.gluon.block import Block, HybridBlock, SymbolBlock
from neuron_adapters.mxnet.gluon.parameter import Constant, Parameter, ParameterDict

__all__ = [
    "Block", "Constant", "HybridBlock", "Parameter", "ParameterDict", "SymbolBlock", "block", "nn", "parameter",
    "utils",
]  # fmt: skip

#: Imported at first use.
_LATER = frozenset({"contrib", "data", "loss", "model_zoo", "rnn"})


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return import_module(f"{__name__}.{name}")
    if name in ("Trainer", "trainer"):
        refuse_name(f"mx.gluon.{name}")
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return refuse_missing(f"mx.gluon.{name}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_LATER})
