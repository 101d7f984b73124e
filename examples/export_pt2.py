"""Compile to ``torch.export``'s format (.pt2), which replaces TorchScript in newer PyTorch (SPEC K1).

``torch.neuron.trace(..., format="pt2")`` returns a ``torch.export.ExportedProgram``. ``torch.export.save`` and
``torch.export.load`` keep its pipeline cores. Calls of ``program.module()`` run on the program's NeuronCores. PyTorch
without this package opens the file as well.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "4"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import difference, require, vector_network

import neuron_adapters
import neuron_adapters.torch as torch_neuron

WITHOUT_ADAPTER = """
import sys, torch
program = torch.export.load(sys.argv[1])
x, answer = torch.load(sys.argv[2])
assert "neuron_adapters" not in sys.modules
sys.exit(0 if torch.allclose(program.module()(x), answer, rtol=1e-3, atol=1e-4) else "the answers differ")
"""


def main() -> None:
    torch.manual_seed(0)
    plain, x = vector_network(), torch.rand(8, 64)
    with torch.no_grad():
        answer = plain(x)

    with tempfile.TemporaryDirectory() as folder:
        file, example = Path(folder) / "model.pt2", Path(folder) / "example.pt"
        program = torch_neuron.trace(plain, x, compiler_args=["--neuroncore-pipeline-cores", "3"], format="pt2")
        torch.export.save(program, file)
        del program  # it was never called, and so never placed
        loaded = torch.export.load(file)

        torch.save((x, answer), example)
        alone = subprocess.run([sys.executable, "-c", WITHOUT_ADAPTER, file, example], check=False)
        require(alone.returncode == 0, "plain PyTorch does not run the file")

    model = loaded.module()
    result = model(x)
    print(f"{neuron_adapters.describe()}\n")
    (where,) = neuron_adapters.placement(loaded)
    require(str(where) == "NC0-NC2", f"the model is on {where}, not on NC0-NC2")
    require(difference(result, answer) < 1e-4, "the output differs from plain PyTorch")
    print(f"model.pt2 is on {where}; largest difference from plain PyTorch {difference(result, answer):.1e}.")
    print("Plain PyTorch, without this package, runs the same file.")


if __name__ == "__main__":
    main()
