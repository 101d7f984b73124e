"""``mx.gluon.nn``: layers, of which networks are made."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.block import Block, HybridBlock, SymbolBlock
from neuron_adapters.mxnet.gluon.nn import activations, basic_layers, conv_layers
from neuron_adapters.mxnet.gluon.nn.activations import *  # noqa: F403 - they say what they show
from neuron_adapters.mxnet.gluon.nn.basic_layers import *  # noqa: F403
from neuron_adapters.mxnet.gluon.nn.conv_layers import *  # noqa: F403

__all__ = ["Block", "HybridBlock", "SymbolBlock"]
__all__ += activations.__all__
__all__ += basic_layers.__all__
__all__ += conv_layers.__all__
