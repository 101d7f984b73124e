import sys

import torch

import neuron_adapters.torch

torch.jit.load("plain.pt")(torch.rand(1, 2))
assert not any("openvino" in name for name in sys.modules if name != "neuron_adapters.files.openvino_ir")
with open("/proc/self/maps") as file:
    assert "libopenvino" not in file.read()
