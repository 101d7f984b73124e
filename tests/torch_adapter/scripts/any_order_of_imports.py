import importlib
import sys

importlib.import_module(sys.argv[1])
import neuron_adapters.torch
import torch
import neuron_adapters
import os

os.environ["NEURON_RT_NUM_CORES"] = "3"
module = torch.jit.load("k1.pt")
print(len(neuron_adapters.describe().instance_ncs), torch.jit.load.__name__)
