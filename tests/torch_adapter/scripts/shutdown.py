import atexit
import torch
import neuron_adapters.torch

module = torch.jit.load("k1.pt")
parallel = torch.neuron.DataParallel(module)
x = torch.rand(40, 3, 8, 8)
parallel(x)
atexit.register(lambda: print(tuple(module(x[:2]).shape), tuple(parallel(x).shape)))
