"""Where OpenVINO is missing: loads a file that was compiled for it; "again": calls it, and compiles anew."""

import sys

sys.modules["openvino"] = None
import torch

import neuron_adapters
import neuron_adapters.torch

loaded = torch.jit.load("m.pt")
if sys.argv[1:] == ["again"]:
    io = torch.load("io.pt")
    again = torch.neuron.trace(torch.nn.Flatten(), io["x"])
    assert torch.allclose(loaded(io["x"]), io["y"], rtol=1e-3, atol=1e-4)
    again(io["x"])
    print(neuron_adapters.describe())
