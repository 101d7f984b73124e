"""``mx.gluon.block``: what layers and networks derive from."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon._block import Block
from neuron_adapters.mxnet.gluon._hybrid import HybridBlock
from neuron_adapters.mxnet.gluon._scope import NameScope
from neuron_adapters.mxnet.gluon._symbol_block import SymbolBlock

__all__ = ["Block", "HybridBlock", "SymbolBlock"]

_BlockScope = NameScope  # scripts that make names of their own import it
