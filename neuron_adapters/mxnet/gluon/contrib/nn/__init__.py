"""``mx.gluon.contrib.nn``."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.contrib.nn import basic_layers
from neuron_adapters.mxnet.gluon.contrib.nn.basic_layers import *  # noqa: F403 - it says what it shows

__all__: list[str] = []
__all__ += basic_layers.__all__
