"""FILE SHARING: an exit handler calls a model of a file, whose weights are copied up to so many bytes."""

import atexit
import sys

import torch

import neuron_adapters.torch
import neuron_rt.deployment

neuron_rt.deployment.MOST_COPIED = int(sys.argv[2])
models = [torch.jit.load(sys.argv[1]) for _ in range(2)]
x = torch.rand(2, 3, 32, 32)
[model(x) for model in models]
atexit.register(lambda: print(models[1](x).shape))
