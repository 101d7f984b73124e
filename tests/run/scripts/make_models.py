"""Four models of 2, 4, 3 and 4 NCs, each with weights of its own, for every framework."""

import os
import numpy as np

x, weights = np.load("x.npy"), [np.load(f"w{i}.npy") for i in range(4)]
import torch
import torch.neuron
import mxnet as mx
import mx_neuron
import tensorflow as tf
import tensorflow.neuron as tfn

for index, cores in enumerate((2, 4, 3, 4)):
    w = weights[index]
    flag = "--neuroncore-pipeline-cores"
    net = torch.nn.Linear(8, 4, bias=False).eval()
    net.load_state_dict({"weight": torch.from_numpy(w)})
    torch.neuron.trace(net, torch.from_numpy(x), compiler_args=[flag, str(cores)]).save(f"m{index}.pt")
    fc = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, no_bias=True, name="fc")
    data = {"data": mx.nd.array(x)}
    sym, args, aux = mx_neuron.compile(fc, {"fc_weight": mx.nd.array(w)}, {}, data, **{flag: cores})
    mx.model.save_checkpoint(f"m{index}", 0, sym, {**args, **data}, aux)
    if cores == 2:
        mx.model.save_checkpoint("single", 0, fc, {"fc_weight": mx.nd.array(w), **data}, {})
    model = tf.keras.Sequential([tf.keras.Input((8,)), tf.keras.layers.Dense(4, use_bias=False)])
    model.set_weights([w.T])
    os.environ["NEURON_CC_FLAGS"] = f"{flag}={cores}"
    tfn.trace(model, x).save(f"m{index}.tf")
