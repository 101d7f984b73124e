from documented_scripts_head import pixels, right, where
import numpy as np
from neuron_adapters import mx

import sys
import warnings

prefix = sys.argv[1]
warnings.filterwarnings("ignore", category=DeprecationWarning)
path = "http://example.invalid/models/"
mx.test_utils.download(path + "model0-plain-symbol.json")
mx.test_utils.download(path + "model0-plain-0000.params")
sym, args, aux = mx.model.load_checkpoint("model0-plain", 0)
inputs = {"data": mx.nd.ones([1, 3, 16, 16], name="data", dtype="float32")}
compile_args = {"--num-neuroncores": 2}
sym, args, aux = mx.contrib.neuron.compile(sym, args, aux, inputs, **compile_args)
mx.model.save_checkpoint(prefix, 0, sym, args, aux)

sym, args, aux = mx.model.load_checkpoint(prefix, 0)
softmax = mx.nd.random_normal(shape=(1,))
args["softmax_label"] = softmax
args["data"] = pixels
exe = sym.bind(ctx=mx.neuron(1), args=args, aux_states=aux, grad_req="null")
exe.forward(data=pixels)
exe.outputs[0].wait_to_read()
print(where(exe), right("model0-plain", exe.outputs[0], pixels))
prob = np.squeeze(exe.outputs[0].asnumpy())
print(len(np.argsort(prob)[::-1][0:5]))
