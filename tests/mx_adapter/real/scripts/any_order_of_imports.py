"""STATEMENTS: what was done first."""

import sys

exec(sys.argv[1])
import os

import mx_neuron
import mxnet as mx

import neuron_adapters

os.environ["NEURON_RT_NUM_CORES"] = "3"
symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
executor = symbol.bind(mx.neuron(1), {"data": mx.nd.ones((1, 3)), "fc_weight": mx.nd.ones((2, 3))}, grad_req="null")
result = executor.forward()[0].asnumpy().tolist()
print(result, *neuron_adapters.placement(executor), len(neuron_adapters.describe().instance_ncs))
