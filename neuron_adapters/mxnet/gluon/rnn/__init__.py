"""``mx.gluon.rnn``: recurrent cells and layers."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.rnn import rnn_cell, rnn_layer
from neuron_adapters.mxnet.gluon.rnn.rnn_cell import *  # noqa: F403 - they say what they show
from neuron_adapters.mxnet.gluon.rnn.rnn_layer import *  # noqa: F403

__all__: list[str] = []
__all__ += rnn_cell.__all__
__all__ += rnn_layer.__all__
