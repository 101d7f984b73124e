import sys

from neuron_adapters import mx

print([name for name in ("openvino", "onnx", "PIL", "neuron_adapters.mxnet.executor", "mxnet") if name in sys.modules])
from neuron_adapters.mx import gluon, mod

print(mx.mod is mx.module is mod, gluon is mx.gluon, mx.executor.Executor.__name__)
