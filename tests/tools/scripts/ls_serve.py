"""Places a model on each run of NCs it is told, says which NCs it owns, and stays until its input ends."""

import sys

import neuron_rt

runtime = neuron_rt.init()
models = [neuron_rt.Model(f"m{n}", int(n), neuron_rt.PlainFramework(), kind="python") for n in sys.argv[1:]]
for model in models:
    runtime.place(model)
    assert model.run(lambda x: 2 * x, 21) == 42
print(*runtime.instance_ncs, flush=True)
sys.stdin.read()
