"""PyTorch computes by several threads, then a forked child loads a model and runs it by PyTorch on both CPUs."""

import faulthandler
import logging
import os
import sys

import numpy as np
import torch

import neuron_adapters.torch
import neuron_rt

logging.basicConfig(stream=sys.stdout, format="%(message)s")
x, path = torch.ones(512, 1024), sys.argv[1]
torch.set_num_threads(2)
expected = torch.jit.load(path)(x)
neuron_rt.current().close()
assert x.equal(torch.ones(512, 1024))  # by OpenMP's threads
pid = os.fork()
if pid == 0:
    faulthandler.dump_traceback_later(60, exit=True)
    assert torch.get_num_threads() == 2
    answer = torch.jit.load(path)(x)
    assert np.allclose(answer.detach().numpy(), expected.detach().numpy(), atol=1e-5)  # PyTorch's own would wait
    assert torch.get_num_threads() == 2, "what the user has set stays"
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
