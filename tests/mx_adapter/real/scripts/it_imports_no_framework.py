import sys
from neuron_adapters.mx import _hooks

_hooks.install()
import mx_neuron

print(
    [name for name in ("mxnet", "torch", "tensorflow", "openvino", "onnx") if name in sys.modules],
    callable(mx_neuron.compile),
)
