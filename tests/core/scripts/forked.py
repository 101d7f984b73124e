import os
import signal
import sys

import neuron_rt

model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime = neuron_rt.init()
runtime.place(model)
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    assert neuron_rt.current() is None
    try:
        model.run(lambda: 1)
    except neuron_rt.ModelNotLoadedError as error:
        assert "load it again in this one, after the fork" in str(error)
    else:
        os._exit(1)
    os.environ["NEURON_RT_NUM_CORES"] = "2"
    assert neuron_rt.init().instance_ncs == (4, 5), neuron_rt.init().instance_ncs
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert model.run(lambda: 2) == 2
child = os.fork()
if child == 0:
    os.write(tell, b"running")  # from its first line on; until then the kernel has but copied the parent
    signal.pause()
os.read(ready, 7)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
