"""``mx.gluon.nn``, where documented scripts look for SymbolBlock, too."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.block import SymbolBlock

__all__ = ["SymbolBlock"]
