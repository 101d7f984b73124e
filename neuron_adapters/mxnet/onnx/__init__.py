"""``mx.onnx``: graphs written as ONNX files. ``mx.contrib.onnx`` reads them, too."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx import mx2onnx
from neuron_adapters.mxnet.onnx._export import export_model, get_operator_support

__all__ = ["export_model", "get_operator_support", "mx2onnx"]
