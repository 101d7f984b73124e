"""Runs two models in turn; with an argument, stays until its input ends."""

import sys
import time

import neuron_rt

runtime = neuron_rt.init()
first, second = (neuron_rt.Model(name, 2, neuron_rt.PlainFramework(), kind="python") for name in ("one.pt", "two.pt"))
for model in (first, second):
    runtime.place(model)
for _ in range(3):
    first.run(time.sleep, 0.01)
    second.run(time.sleep, 0.01)
print("done", flush=True)
if sys.argv[1:]:
    sys.stdin.read()
