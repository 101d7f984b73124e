"""``mx.gluon.nn``, where documented scripts look for SymbolBlock, too."""

from __future__ import annotations

from neuron_adapters.mx.gluon.block import SymbolBlock

__all__ = ["SymbolBlock"]
