"""A rank of torchrun, with two NeuronCores of its own."""

import json
import os
import sys
from pathlib import Path

rank = int(os.environ["LOCAL_RANK"])
os.environ["NEURON_RT_VISIBLE_CORES"] = f"{2 * rank}-{2 * rank + 1}"

import torch
import torch.distributed

import neuron_adapters.torch
import neuron_rt

torch.distributed.init_process_group("gloo")
network = torch.nn.Linear(4, 1, bias=False).eval()
torch.nn.init.constant_(network.weight, (rank + 1) / 4)
file = f"{sys.argv[1]}/rank{rank}.pt"
torch.neuron.trace(network, torch.ones(1, 4), compiler_args=["--neuroncore-pipeline-cores", "2"]).save(file)
with torch.no_grad():
    result = torch.jit.load(file)(torch.ones(1, 4))
torch.distributed.all_reduce(result)
report = {"ncs": neuron_rt.init().instance_ncs, "sum": result.item()}
Path(sys.argv[1], f"rank{rank}.json").write_text(json.dumps(report))
torch.distributed.destroy_process_group()
