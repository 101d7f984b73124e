"""``mx.contrib.quantization``: float networks made into networks of whole numbers."""

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.quantization import (
    calib_graph,
    combine_histogram,
    quantize_graph,
    quantize_model,
    quantize_net,
    quantize_net_v2,
)

__all__ = [
    "calib_graph", "combine_histogram", "quantize_graph", "quantize_model", "quantize_net", "quantize_net_v2",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.contrib.quantization")
