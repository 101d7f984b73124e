"""``mx.contrib.onnx``: ONNX files read as MXNet's graphs, and graphs written as ONNX files.

``onnx2mx`` and ``mx2onnx`` are where scripts of MXNet's older releases look for the same functions.
"""

from __future__ import annotations

from neuron_adapters.mx.contrib.onnx import mx2onnx, onnx2mx
from neuron_adapters.mxnet.onnx import export_model
from neuron_adapters.mxnet.onnx._import import get_model_metadata, import_model, import_to_gluon

__all__ = ["export_model", "get_model_metadata", "import_model", "import_to_gluon", "mx2onnx", "onnx2mx"]
