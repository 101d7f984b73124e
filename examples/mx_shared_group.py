"""Two MXNet models take turns on one pair of NeuronCores.

The section "Running multiple models on the same NeuronCore group" of the AWS Neuron guide "Parallel Execution using
NEURON_RT_NUM_CORES": with the same start index both models stay loaded, and the runtime goes from one to the other when
the other is called. Such a step is a model switch. It is counted for the model that takes over (SPEC P5).
"""

import os
import tempfile
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "2"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

from _mx_models import IMAGE, answer, compile_and_save, difference, image_network, load, require

import neuron_adapters
import neuron_adapters.mx as mx

CALLS = {"in blocks": "AAAABBBB", "in turns": "ABABABAB"}


def switches() -> int:
    """Model switches of this process until now."""
    return sum(model.switches for model in neuron_adapters.describe().models)


def main() -> None:
    mx.random.seed(0)
    image = mx.nd.random_uniform(shape=IMAGE)
    plain = {"A": image_network(width=8), "B": image_network(width=16)}
    answers = {name: answer(model, image) for name, model in plain.items()}
    require(difference(answers["A"], answers["B"]) > 1e-2, "the models cannot be told apart")

    loaded = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in plain.items():
            compile_and_save(model, 2, Path(folder) / name)
            loaded[name] = load(Path(folder) / name, mx.neuron(0))

    last = ""
    for how, calls in CALLS.items():
        before = switches()
        expected = 0
        for name in calls:
            result = loaded[name].forward(data=image)[0].asnumpy()
            require(difference(result, answers[name]) < 1e-4, f"model {name} answers otherwise than the original")
            expected += last not in ("", name)
            last = name
        counted = switches() - before
        print(f"called {how}: {' '.join(calls)}  {counted} model switches")
        require(counted == expected, f"{counted} model switches were counted, {expected} happened")

    print(f"\n{neuron_adapters.describe()}\n")
    for name, executor in loaded.items():
        (where,) = neuron_adapters.placement(executor)
        require(str(where) == "NC0-NC1", f"model {name} is on {where}, not on NC0-NC1")
    print("Both models are on NC0-NC1 and answer as the originals do.")


if __name__ == "__main__":
    main()
