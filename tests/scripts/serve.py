"""Serves the models that the variable MODELS names, until its input ends: each is called over and over.

MODELS is a list of NAME@START:NCS[xALL][!]: a model of NCS NeuronCores from START, replicated on ALL. ``!``: its first two
calls fail."""

import contextlib
import os
import re
import sys
import threading
import time

import neuron_rt

SECONDS = 0.002


def fail():
    raise ValueError


def serve(model, failures):
    for _ in range(failures):
        with contextlib.suppress(ValueError):
            model.run(fail)
    while True:
        model.run(time.sleep, SECONDS)
        time.sleep(SECONDS)


runtime = neuron_rt.init()
for word in os.environ["MODELS"].split():
    name, start, nc_count, count, failing = re.fullmatch(r"(.+)@(\d+):(\d+)(?:x(\d+))?(!?)", word).groups()
    model = neuron_rt.Model(name, int(nc_count), neuron_rt.PlainFramework(), kind="python", weights=1 << 20)
    runtime.place(model, neuron_rt.PlacementRequest(start=int(start), count=int(count) if count else None))
    threading.Thread(target=serve, args=(model, 2 * bool(failing)), daemon=True).start()
print(*runtime.instance_ncs, flush=True)
sys.stdin.read()
