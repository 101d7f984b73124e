"""``mx.gluon.contrib.cnn``."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.contrib.cnn import conv_layers
from neuron_adapters.mxnet.gluon.contrib.cnn.conv_layers import *  # noqa: F403 - it says what it shows

__all__: list[str] = []
__all__ += conv_layers.__all__
