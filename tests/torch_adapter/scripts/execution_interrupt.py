import os
import signal
import threading
import torch
import neuron_adapters.torch

module = torch.jit.load("slow.pt")
x = torch.rand(200, 200)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        module(x, 20)
except KeyboardInterrupt:
    pass
print(tuple(module(x, 1).shape), os.sched_getaffinity(0) == set(range(os.cpu_count())) or "narrow machine")
