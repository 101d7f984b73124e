import os

os.environ["NEURON_RT_NUM_CORES"] = "1"
import neuron_rt
from neuron_adapters import mx

symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=1, no_bias=True, name="fc")
args = {"data": mx.nd.ones((1, 2)), "fc_weight": mx.nd.ones((1, 2))}
exe = symbol.bind(ctx=mx.neuron(0), args=args, grad_req="null")
exe.forward()
child = os.fork()
if child == 0:
    try:
        exe.forward()
    except neuron_rt.ModelNotLoadedError as error:
        assert "load it again" in str(error)
        own = symbol.bind(ctx=mx.neuron(0), args=args, grad_req="null")
        print(own.forward()[0].asnumpy(), neuron_rt.init().instance_ncs, flush=True)
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(exe.forward()[0].asnumpy())
