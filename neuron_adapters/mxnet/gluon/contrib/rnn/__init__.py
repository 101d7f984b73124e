"""``mx.gluon.contrib.rnn``."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.contrib.rnn import conv_rnn_cell, rnn_cell
from neuron_adapters.mxnet.gluon.contrib.rnn.conv_rnn_cell import *  # noqa: F403 - they say what they show
from neuron_adapters.mxnet.gluon.contrib.rnn.rnn_cell import *  # noqa: F403

__all__: list[str] = []
__all__ += conv_rnn_cell.__all__
__all__ += rnn_cell.__all__
