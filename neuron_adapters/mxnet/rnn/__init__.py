"""``mx.rnn``: recurrent cells that make graphs, and batches of sentences."""

from __future__ import annotations

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.rnn._combined import (
    BidirectionalCell,
    DropoutCell,
    ModifierCell,
    ResidualCell,
    SequentialRNNCell,
    ZoneoutCell,
)
from neuron_adapters.mxnet.rnn._convolutional import ConvGRUCell, ConvLSTMCell, ConvRNNCell
from neuron_adapters.mxnet.rnn._fused import FusedRNNCell
from neuron_adapters.mxnet.rnn.io import BucketSentenceIter, encode_sentences
from neuron_adapters.mxnet.rnn.rnn import do_rnn_checkpoint, load_rnn_checkpoint, rnn_unroll, save_rnn_checkpoint
from neuron_adapters.mxnet.rnn.rnn_cell import BaseRNNCell, GRUCell, LSTMCell, RNNCell, RNNParams

__getattr__: Missing = missing_names("mx.rnn")

__all__ = [
    "BaseRNNCell", "BidirectionalCell", "BucketSentenceIter", "ConvGRUCell", "ConvLSTMCell", "ConvRNNCell",
    "DropoutCell", "FusedRNNCell", "GRUCell", "LSTMCell", "ModifierCell", "RNNCell", "RNNParams", "ResidualCell",
    "SequentialRNNCell", "ZoneoutCell", "do_rnn_checkpoint", "encode_sentences", "load_rnn_checkpoint", "rnn_unroll",
    "save_rnn_checkpoint",
]  # fmt: skip
