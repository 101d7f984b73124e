"""Four models on four runs of NeuronCores, within one process.

This is the main example of the AWS Neuron guide "Parallel Execution using NEURON_RT_NUM_CORES": models A, B, C and D
are compiled for 2, 4, 3 and 4 NeuronCores. Loaded one after the other they land on NC0-NC1, NC2-NC5, NC6-NC8 and
NC9-NC12 (SPEC P1, P8). Then four threads feed them at the same time (SPEC P5).
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "13"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import difference, image_network, require

import neuron_adapters
import neuron_adapters.torch as torch_neuron

NCS = {"A": 2, "B": 4, "C": 3, "D": 4}
EXPECTED = {"A": "NC0-NC1", "B": "NC2-NC5", "C": "NC6-NC8", "D": "NC9-NC12"}
CALLS = 25


def compile_all(models: dict[str, torch.nn.Module], image: torch.Tensor, folder: Path) -> None:
    """Compile each model for its number of NeuronCores and save it."""
    for name, model in models.items():
        compiled = torch_neuron.trace(
            model,
            image,
            compiler_args=["--neuroncore-pipeline-cores", str(NCS[name])],
        )
        torch.jit.save(compiled, folder / f"model_{name}.pt")
        print(f"compiled model {name} for {NCS[name]} NeuronCores")


def feed(model: torch.nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """One client."""
    return [model(image) for _ in range(CALLS)]


def run_all(models: dict[str, torch.nn.Module], image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Four clients at once, each with a model of its own."""
    with ThreadPoolExecutor(len(models)) as clients:
        jobs = {name: clients.submit(feed, model, image) for name, model in models.items()}
        return {name: job.result() for name, job in jobs.items()}


def main() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64)
    plain = {name: image_network(width=16 * cores) for name, cores in NCS.items()}
    with torch.no_grad():
        answers = {name: model(image) for name, model in plain.items()}

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        compile_all(plain, image, folder)
        # The four lines of the guide. Nothing says where a model goes.
        model_a = torch.jit.load(folder / "model_A.pt")
        model_b = torch.jit.load(folder / "model_B.pt")
        model_c = torch.jit.load(folder / "model_C.pt")
        model_d = torch.jit.load(folder / "model_D.pt")

    loaded = {"A": model_a, "B": model_b, "C": model_c, "D": model_d}
    print(f"four threads call the four models at once, {CALLS} times each")
    results = run_all(loaded, image)

    print(f"\n{neuron_adapters.describe()}\n")
    for name, model in loaded.items():
        (where,) = neuron_adapters.placement(model)
        worst = max(difference(result, answers[name]) for result in results[name])
        calls = len(results[name])
        print(f"model {name} on {where!s:8}  {calls} calls  largest difference from plain PyTorch {worst:.1e}")
        require(str(where) == EXPECTED[name], f"model {name} is on {where}, the guide says {EXPECTED[name]}")
        require(worst < 1e-4, f"model {name} answers otherwise than plain PyTorch")
    print("\nAll four are where the guide says, and answer as plain PyTorch does.")


if __name__ == "__main__":
    main()
