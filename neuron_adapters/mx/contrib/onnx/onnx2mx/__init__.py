"""Modules of MXNet that read ONNX files."""

from __future__ import annotations

from neuron_adapters.mx.contrib.onnx.onnx2mx import import_model, import_to_gluon
from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["import_model", "import_to_gluon"]

__getattr__: Missing = missing_names("mx.contrib.onnx.onnx2mx")
