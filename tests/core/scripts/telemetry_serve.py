import sys
import time

import neuron_rt
import contextlib

runtime = neuron_rt.init()
models = [neuron_rt.Model(f"m{n}", n, neuron_rt.PlainFramework(), kind="python") for n in (2, 1)]
for model in models:
    runtime.place(model)


def fail():
    raise KeyError("no")


for turn in range(300):
    models[turn % 2].run(time.sleep, 0.0002)
for _ in range(7):
    with contextlib.suppress(KeyError):
        models[1].run(fail)
for model in models:
    print(sum(slot.calls for slot in model.slots), sum(slot.errors for slot in model.slots), flush=True)
sys.stdin.read()
