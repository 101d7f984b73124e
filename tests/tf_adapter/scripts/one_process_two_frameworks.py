import warnings

import os

os.environ["NEURON_RT_NUM_CORES"] = "13"
warnings.filterwarnings("ignore", r"`torch.jit.*", DeprecationWarning)
import tensorflow as tf
import torch
import neuron_adapters.tf
import neuron_adapters.torch
import neuron_adapters

net = torch.nn.Linear(4, 2).eval()
for cores in (3, 4):
    flags = ["--neuroncore-pipeline-cores", str(cores)]
    torch.neuron.trace(net, torch.ones(1, 4), compiler_args=flags).save(f"t{cores}.pt")
kept = [
    tf.keras.models.load_model("k2"),
    torch.jit.load("t4.pt"),
    tf.keras.models.load_model("k3"),
    torch.jit.load("t4.pt"),
]
print(*(place for model in kept for place in neuron_adapters.placement(model)))
print(*(model.kind for model in neuron_adapters.describe().models))
