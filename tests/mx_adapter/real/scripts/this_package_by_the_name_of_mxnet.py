from neuron_adapters.mx import _hooks

_hooks.install()
_hooks.uninstall()
import sys

from neuron_adapters import mx

sys.modules["mxnet"] = mx
assert _hooks.install()
import mx_neuron
import mxnet

symbol = mxnet.sym.FullyConnected(mxnet.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
args = {"fc_weight": mxnet.nd.ones((2, 3))}
compiled, _args, _aux = mx_neuron.compile(symbol, args, {}, {"data": mxnet.nd.ones((1, 3))})
print(type(compiled) is mx.sym.Symbol)
