"""Where scripts look for ``export_model``, too."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx._export import export_model, get_operator_support

__all__ = ["export_model", "get_operator_support"]
