"""Loads two models, and runs itself once more."""

import os
import subprocess
import sys

import torch

import neuron_adapters
import neuron_adapters.torch

loaded = [torch.jit.load("k1.pt"), torch.jit.load("k1.pt")]
print([neuron_adapters.placement(module)[0].instance_ncs for module in loaded], flush=True)
if "SECOND" not in os.environ:
    command = [sys.executable, "-W", "ignore", "-c", sys.orig_argv[-1]]
    subprocess.run(command, check=True, env={**os.environ, "SECOND": "1"})
