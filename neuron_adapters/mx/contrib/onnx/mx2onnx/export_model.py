"""See ``mx.onnx``."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx import export_model

__all__ = ["export_model"]
