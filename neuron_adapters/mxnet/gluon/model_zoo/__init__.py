"""``mx.gluon.model_zoo``: networks by name, with random weights or those of a file."""

from __future__ import annotations

from neuron_adapters.mxnet.gluon.model_zoo import model_store, vision
from neuron_adapters.mxnet.gluon.model_zoo.vision import get_model

__all__ = ["get_model", "model_store", "vision"]
