"""See ``mx.contrib.onnx``."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx._import import get_model_metadata, import_model

__all__ = ["get_model_metadata", "import_model"]
