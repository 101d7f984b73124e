"""See ``mx.contrib.onnx``."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx._import import import_to_gluon

__all__ = ["import_to_gluon"]
