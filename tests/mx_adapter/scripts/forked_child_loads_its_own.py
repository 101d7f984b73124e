"""PREFIX: a checkpoint."""

import os
import sys

import neuron_adapters
from neuron_adapters import mx
from neuron_rt import ModelNotLoadedError

(prefix,) = sys.argv[1:]
files = (f"{prefix}-symbol.json", ["data", "softmax_label"], f"{prefix}-0000.params")
x, label = mx.nd.ones((2, 4)), mx.nd.ones(2)
block = mx.gluon.SymbolBlock.imports(*files, ctx=mx.neuron(0))
module = mx.mod.Module.load(prefix, 0, context=[mx.neuron(1), mx.neuron(2)])
module.bind([("data", (2, 4))], for_training=False)
batch = mx.io.DataBatch([x])
block(x, label), module.forward(batch)
child = os.fork()
if child == 0:
    os.environ["NEURON_RT_NUM_CORES"] = "2"
    for call in (lambda: block(x, label), lambda: block(x[:1], label[:1]), lambda: module.forward(batch)):
        try:
            call()
        except ModelNotLoadedError:
            print("refused")
    own = mx.gluon.SymbolBlock.imports(*files, ctx=mx.neuron(1))
    print(own(x, label).shape, neuron_adapters.placement(own)[0].instance_ncs, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
block(x, label), module.forward(batch)
print("parent")
