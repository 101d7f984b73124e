import mxnet as mx
import neuron_adapters
from neuron_adapters.mx import _hooks

_hooks.install()
symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
args = {"data": mx.nd.ones((1, 3)), "fc_weight": mx.nd.ones((2, 3))}
context = mx.neuron(1)
executor = symbol.bind(context, args, grad_req="null")
_hooks.uninstall()
print(executor.forward()[0].asnumpy().tolist(), *neuron_adapters.placement(executor))
print(
    type(symbol.bind(mx.cpu(), args, grad_req="null")).__name__,
    type(symbol.bind(context, args, grad_req="null")).__name__,
)
