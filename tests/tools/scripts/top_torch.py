"""Calls a model of PyTorch as often as it is told, and says what describe() counts."""

import json
import sys

import torch

import neuron_adapters
import neuron_adapters.torch

torch.jit.trace(torch.nn.Linear(8, 8), torch.ones(1, 8)).save(sys.argv[0] + ".pt")
with torch.neuron.experimental.neuron_cores_context(0, 2):
    model = torch.jit.load(sys.argv[0] + ".pt")
print("{}", flush=True)
for line in sys.stdin:
    for _ in range(int(line.split()[1])):
        model(torch.ones(1, 8))
    (report,) = neuron_adapters.describe().models
    print(json.dumps({"name": report.name, "calls": list(report.calls_by_replica)}), flush=True)
