"""Every way to start a process, each child with NeuronCores and models of its own, of all three frameworks."""

import multiprocessing
import os
import subprocess
import sys

METHODS = ["fork", "spawn", "forkserver"]


def work(title):
    """Load one model of each framework; say where they are, by instance index."""
    os.environ["NEURON_RT_NUM_CORES"] = "4"
    import numpy as np

    x = np.load("x.npy")
    import mxnet as mx
    import mx_neuron
    from mxnet.contrib import neuron

    sym, args, aux = mx.model.load_checkpoint("m0", 0)
    model_mx = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")

    import torch
    import torch.neuron

    model_torch = torch.jit.load("m0.pt")

    import tensorflow as tf
    import tensorflow.neuron as tfn

    model_tf = tf.keras.models.load_model("m0.tf")

    results = [model_mx.forward()[0].asnumpy(), model_torch(torch.from_numpy(x)).numpy(), model_tf(x).numpy()]
    right = [bool(np.allclose(result, x @ np.load("w0.npy").T, rtol=1e-3, atol=1e-4)) for result in results]

    import neuron_adapters  # the script's author would ask neuron-top

    places = [neuron_adapters.placement(model) for model in (model_mx, model_torch, model_tf)]
    owned = neuron_adapters.describe().instance_ncs
    starts = [place[0].start_nc for place in places]
    sizes = [place[0].nc_count for place in places]
    print(title, right, starts, sizes, len(owned), os.environ.get("NEURON_ADAPTERS_RUN"), flush=True)
    return owned


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        work("subprocess")
        sys.exit()
    hold = []
    for method in METHODS:
        context = multiprocessing.get_context(method)
        process = context.Process(target=work, args=(method,))
        process.start()
        hold.append(process)
        if len(hold) % 2 == 0:  # two at a time
            hold[-2].join(), hold[-1].join()
    code = subprocess.call([sys.executable, __file__, "child"])
    for process in hold:
        process.join()
    sys.exit([process.exitcode for process in hold] + [code] != [0, 0, 0, 0])
