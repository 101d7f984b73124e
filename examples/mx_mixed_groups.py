"""One MXNet model alone on its NeuronCores, three more on one group: the mix that only MXNet can ask for.

The question "Can I have a mix of multiple models in one Neuroncore group and single model in another one" of the AWS
Neuron guide "Parallel Execution using NEURON_RT_NUM_CORES". What shares NeuronCores takes turns; what does not runs
beside the others (SPEC P3, P5).
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "6"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import numpy as np
from _mx_models import IMAGE, answer, compile_and_save, difference, image_network, load, require

import neuron_adapters
import neuron_adapters.mx as mx

NCS = [2, 4, 4, 4]
STARTS = [0, 2, 2, 2]
EXPECTED = ["NC0-NC1", "NC2-NC5", "NC2-NC5", "NC2-NC5"]
CALLS = 25


def feed(executor: mx.executor.Executor, image: mx.nd.NDArray) -> list[np.ndarray]:
    """One client. An executor writes its outputs anew at each call, hence the copies."""
    return [executor.forward(data=image)[0].asnumpy() for _ in range(CALLS)]


def main() -> None:
    mx.random.seed(0)
    image = mx.nd.random_uniform(shape=IMAGE)
    plain = [image_network(width=8 + 4 * number) for number in range(4)]
    answers = [answer(model, image) for model in plain]
    require(all(difference(answers[0], other) > 1e-2 for other in answers[1:]), "the models cannot be told apart")

    loaded = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (model, cores, start) in enumerate(zip(plain, NCS, STARTS)):
            compile_and_save(model, cores, Path(folder) / f"model{number}")
            loaded.append(load(Path(folder) / f"model{number}", mx.neuron(start)))

    with ThreadPoolExecutor(4) as clients:
        jobs = [clients.submit(feed, executor, image) for executor in loaded]
        results = [job.result() for job in jobs]

    print(f"{neuron_adapters.describe()}\n")
    for number, executor in enumerate(loaded):
        (where,) = neuron_adapters.placement(executor)
        worst = max(difference(result, answers[number]) for result in results[number])
        print(f"model {number} on {where}: largest difference from the original {worst:.1e}")
        require(str(where) == EXPECTED[number], f"model {number} is on {where}, the guide says {EXPECTED[number]}")
        require(worst < 1e-4, f"model {number} answers otherwise than the original")
    alone = neuron_adapters.describe().models[0]
    require(alone.switches == 0, f"nothing shares NC0-NC1, and {alone.switches} model switches were counted there")
    print("Model 0 never waited for another model; the other three took turns.")


if __name__ == "__main__":
    main()
