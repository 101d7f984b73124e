"""An application of the guide's shell blocks: it runs a model, and stays until all PROCESSES have done so."""

import glob
import os
import time

import mxnet as mx
import mx_neuron

import neuron_adapters

sym, args, aux = mx.model.load_checkpoint("single", 0)
model = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
model.forward()[0].wait_to_read()
with open(f"ran-{os.getpid()}", "w") as file:
    file.write(f"{os.path.basename(__file__)} owns {len(neuron_adapters.describe().instance_ncs)} from NC")
    file.write(f"{neuron_adapters.placement(model)[0].instance_ncs[0]}")
deadline = time.monotonic() + 60
while len(glob.glob("ran-*")) < int(os.environ["PROCESSES"]) and time.monotonic() < deadline:
    time.sleep(0.02)
