import sys

from neuron_adapters import mx

mx.nd.zeros(2) + 1
heavy = {"onnx", "openvino", "torch", "tensorflow", "PIL", "neuron_adapters.mxnet.operators.dense"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
sys.modules["PIL"] = None
try:
    mx.image.imdecode(b"")
except ImportError as error:
    print(error)
