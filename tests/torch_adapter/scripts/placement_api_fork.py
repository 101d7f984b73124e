import os
import torch
import neuron_adapters
import neuron_adapters.torch
import neuron_rt

torch.set_num_threads(1)
module = torch.jit.load("k1.pt")
x = torch.rand(2, 3, 8, 8)
child = os.fork()
if child == 0:
    try:
        module(x)
        os._exit(1)
    except neuron_rt.ModelNotLoadedError as error:
        assert "after the fork" in str(error), error
    assert neuron_adapters.describe().models == ()
    mine = torch.jit.load("k1.pt")
    assert neuron_adapters.placement(mine)[0].instance_ncs == (2,), neuron_adapters.placement(mine)
    mine(x)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
module(x)
print(neuron_adapters.describe().models[0].calls)
