"""How ONNX's operators become MXNet's, a file a family. ``CONVERSIONS`` has them by ONNX's names."""

from __future__ import annotations

from neuron_adapters.mxnet.onnx.conversions import (  # they register what they convert
    elementwise,
    indexing,
    layers,
    pooling,
    products,
    quantization,
    recurrent,
    reduction,
    resizing,
    shape,
)
from neuron_adapters.mxnet.onnx.conversions._registry import CONVERSIONS

__all__ = [
    "CONVERSIONS", "elementwise", "indexing", "layers", "pooling", "products", "quantization", "recurrent", "reduction",
    "resizing", "shape",
]  # fmt: skip
