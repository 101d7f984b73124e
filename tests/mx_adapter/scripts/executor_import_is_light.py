import sys

from neuron_adapters import mx

mx.nd.ones((2, 2))
mx.sym.var("x")
mx.neuron(1)
heavy = ("torch", "tensorflow", "keras", "mxnet", "onnx", "openvino", "PIL")
print([name for name in heavy if name in sys.modules])
