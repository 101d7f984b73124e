import resource
import sys

resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="python")
runtime.place(model)
print(model.run(lambda: 42), model.slot.calls, flush=True)
sys.stdin.read()
