"""One model file, several replicas: calls go round robin, from any thread (SPEC R1, R4).

``multicore_context()`` puts a replica on every NeuronCore that fits; ``neuron_cores_context(start_nc=2, nc_count=4)``
uses four NeuronCores from the third one. Both are described in the AWS Neuron document "PyTorch Neuron (torch-neuron)
Core Placement". The replicas hold the weights once (SPEC K5).
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "8"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import torch
from _models import difference, image_network, require

import neuron_adapters
import neuron_adapters.torch as torch_neuron
import neuron_rt

CALLS = 80


def feed(model: torch.nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Call one model from eight threads."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _turn: model(image), range(CALLS)))


def main() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64)
    plain = image_network(width=8)
    with torch.no_grad():
        answer = plain(image)

    with tempfile.TemporaryDirectory() as folder:
        one_nc, two_ncs = Path(folder) / "one_nc.pt", Path(folder) / "two_ncs.pt"
        torch_neuron.trace(plain, image).save(str(one_nc))
        torch_neuron.trace(plain, image, compiler_args=["--neuroncore-pipeline-cores", "2"]).save(str(two_ncs))
        with torch_neuron.experimental.multicore_context():
            everywhere = torch.jit.load(one_nc)
        with torch_neuron.experimental.neuron_cores_context(start_nc=2, nc_count=4):
            twice = torch.jit.load(two_ncs)

    for model in (everywhere, twice):
        worst = max(difference(result, answer) for result in feed(model, image))
        require(worst < 1e-4, f"the outputs differ from plain PyTorch by {worst:.1e}")

    print(f"{neuron_adapters.describe()}\n")
    for model in neuron_rt.init().models():
        calls = [slot.calls for slot in model.slots]
        print(f"{model.name}: {len(calls)} replicas")
        for slot in model.slots:
            print(f"  {slot.core_range!s:8} {slot.calls:3} calls")
        require(sum(calls) == CALLS, f"{sum(calls)} calls were counted, {CALLS} were made")
        require(len(set(calls)) == 1, f"the replicas did not take turns: {calls}")

    where = [str(place) for place in neuron_adapters.placement(everywhere)]
    require(where == [f"NC{nc}" for nc in range(8)], f"multicore_context() made replicas on {where}")
    where = [str(place) for place in neuron_adapters.placement(twice)]
    require(where == ["NC2-NC3", "NC4-NC5"], f"neuron_cores_context(2, 4) made replicas on {where}")
    print("\nEvery replica did its share, and all answer as plain PyTorch does.")


if __name__ == "__main__":
    main()
