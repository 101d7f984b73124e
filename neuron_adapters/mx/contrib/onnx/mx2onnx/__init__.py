"""The module of MXNet that writes ONNX files."""

from __future__ import annotations

from neuron_adapters.mx.contrib.onnx.mx2onnx import export_model

__all__ = ["export_model"]
