"""Runs models of PyTorch; each line of the input is a number of calls."""

import json
import sys
import warnings

warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="`torch.jit")
import torch

import neuron_adapters.torch
import neuron_rt

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()).eval()
example = torch.rand(4, 64)
neuron_adapters.torch.trace(net, example, compiler_args=["--neuroncore-pipeline-cores", "2"]).save("net.pt")
models = [torch.jit.load("net.pt") for _ in range(2)]
print(*neuron_rt.init().instance_ncs, flush=True)
for line in sys.stdin:
    calls = [0, 0]
    for turn in range(int(line)):
        models[turn % 3 % 2](example)
        calls[turn % 3 % 2] += 1
    print(json.dumps(calls), flush=True)
