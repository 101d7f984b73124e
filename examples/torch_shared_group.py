"""Two models take turns on one pair of NeuronCores.

The section "Running multiple models on the same NeuronCore group" of the AWS Neuron guide "Parallel Execution using
NEURON_RT_NUM_CORES": both models stay loaded, and the runtime goes from one to the other when the other is called.
Such a step is a model switch. It is counted for the model that takes over (SPEC P5).
"""

import os
import tempfile
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "2"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import difference, require, vector_network

import neuron_adapters
import neuron_adapters.torch as torch_neuron

CALLS = {"in blocks": "AAAABBBB", "in turns": "ABABABAB"}


def switches() -> int:
    """Model switches of this process until now."""
    return sum(model.switches for model in neuron_adapters.describe().models)


def main() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 64)
    plain = {"A": vector_network(), "B": vector_network()}
    with torch.no_grad():
        answers = {name: model(x) for name, model in plain.items()}

    loaded = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in plain.items():
            file = Path(folder) / f"model_{name}.pt"
            torch_neuron.trace(model, x, compiler_args=["--neuroncore-pipeline-cores", "2"]).save(str(file))
            loaded[name] = torch.jit.load(file)

    last = ""
    for how, calls in CALLS.items():
        before = switches()
        expected = 0
        for name in calls:
            require(difference(loaded[name](x), answers[name]) < 1e-4, f"model {name} differs from plain PyTorch")
            expected += last not in ("", name)
            last = name
        counted = switches() - before
        print(f"called {how}: {' '.join(calls)}  {counted} model switches")
        require(counted == expected, f"{counted} model switches were counted, {expected} happened")

    print(f"\n{neuron_adapters.describe()}\n")
    for name, model in loaded.items():
        (where,) = neuron_adapters.placement(model)
        require(str(where) == "NC0-NC1", f"model {name} is on {where}, not on NC0-NC1")
    print("Both models are on NC0-NC1 and answer as plain PyTorch does.")


if __name__ == "__main__":
    main()
