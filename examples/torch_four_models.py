"""Four models in four groups of NeuronCores, within one process: the main example of AWS's guide "Parallel Execution
using NEURON_RT_NUM_CORES".

Models A, B, C and D are compiled for 2, 4, 3 and 4 NeuronCores. Loaded one after another they land on NC0-NC1,
NC2-NC5, NC6-NC8 and NC9-NC12 (SPEC P1, P8), and run there side by side.
"""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "13"

import torch

import neuron_adapters
import neuron_adapters.torch

NCS = {"A": 2, "B": 4, "C": 3, "D": 4}
EXPECTED = {"A": (0, 1), "B": (2, 3, 4, 5), "C": (6, 7, 8), "D": (9, 10, 11, 12)}


def network(width: int) -> torch.nn.Module:
    """A small image classifier with random weights."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(width, width, 3, padding=1),
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(width * 16, 10),
    ).eval()


def main() -> int:
    """Compile, load, run, compare."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64)
    originals = {name: network(16 * cores) for name, cores in NCS.items()}
    with torch.no_grad():
        expected = {name: model(image) for name, model in originals.items()}

    with tempfile.TemporaryDirectory() as folder:
        for name, model in originals.items():
            flags = ["--neuroncore-pipeline-cores", str(NCS[name])]
            compiled = torch.neuron.trace(model, image, compiler_args=flags)
            compiled.save(str(Path(folder) / f"model_{name}.pt"))
        print(f"compiled models A, B, C, D for {', '.join(map(str, NCS.values()))} NeuronCores\n")
        loaded = {name: torch.jit.load(Path(folder) / f"model_{name}.pt") for name in NCS}

    with ThreadPoolExecutor(len(loaded)) as threads:  # four clients at once, each with a model of its own
        jobs = {name: [threads.submit(model, image) for _ in range(25)] for name, model in loaded.items()}
        results = {name: [job.result() for job in several] for name, several in jobs.items()}

    print(neuron_adapters.describe())
    print()
    wrong = 0
    for name, model in loaded.items():
        (where,) = neuron_adapters.placement(model)
        difference = max((result - expected[name]).abs().max().item() for result in results[name])
        good = where.instance_ncs == EXPECTED[name] and difference < 1e-4
        wrong += not good
        verdict = "as documented" if good else f"WRONG, expected {EXPECTED[name]}"
        print(f"model {name}: {where}, {verdict}; largest difference from plain PyTorch {difference:.1e}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
