import os
import sys

import neuron_rt

runtime = neuron_rt.init()
models = [neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="python") for _ in range(2)]
for model in models:
    runtime.place(model)


def fork():
    return os.fork()


child = models[0].run(fork)
if not child:
    models.clear()
    del runtime, model
    other = neuron_rt.Model("other", 1, neuron_rt.PlainFramework(), kind="python")
    os.environ["NEURON_RT_VISIBLE_CORES"] = "3"
    try:
        neuron_rt.init()
    except neuron_rt.NeuronCoresNotAvailableError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("ready", flush=True)
sys.stdin.read()
