"""``mx.gluon.nn``, where documented scripts look for SymbolBlock, too."""

from __future__ import annotations

from typing import NoReturn

from neuron_adapters.mxnet._training import refuse_block
from neuron_adapters.mxnet.gluon.block import SymbolBlock

__all__ = ["SymbolBlock"]


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    refuse_block(f"nn.{name}")
