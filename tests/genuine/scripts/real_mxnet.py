"""PREFIX INPUT: a checkpoint of mx_neuron, bound by the real MXNet."""

import sys
import warnings

warnings.simplefilter("ignore")
import mxnet as mx
import numpy as np
import neuron_adapters.mx
import neuron_adapters

symbol, args, aux = mx.model.load_checkpoint(sys.argv[1], 0)
args["data"] = mx.nd.array(np.load(sys.argv[2])[None])
args["softmax_label"] = mx.nd.zeros((1,))
assert "_neuron_subgraph_op" in symbol.tojson()
executor = symbol.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
module = mx.mod.Module(symbol, ["data"], ["softmax_label"], context=mx.neuron(1))
module.bind([("data", (1, 28, 28))], [("softmax_label", (1,))], for_training=False)
module.set_params(args, aux, allow_missing=True)
module.forward(mx.io.DataBatch([args["data"]], [args["softmax_label"]]), is_train=False)
print(executor.forward()[0].asnumpy().tolist())
print(module.get_outputs()[0].asnumpy().tolist())
print([neuron_adapters.placement(model)[0].start_nc for model in (executor, module)])
