"""Four MXNet models on four runs of NeuronCores, within one process.

The MXNet part of the AWS Neuron guide "Parallel Execution using NEURON_RT_NUM_CORES": models 0 to 3 are compiled for
2, 4, 3 and 4 NeuronCores. ``mx.neuron(i)`` says at which NeuronCore a model starts (SPEC P3). Then four threads feed
them at the same time (SPEC P5).
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "13"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now

import numpy as np
from _mx_models import IMAGE, answer, compile_and_save, difference, image_network, require

import neuron_adapters
import neuron_adapters.mx as mx

NCS = [2, 4, 3, 4]
EXPECTED = ["NC0-NC1", "NC2-NC5", "NC6-NC8", "NC9-NC12"]
CALLS = 50


def feed(executor: mx.executor.Executor, image: mx.nd.NDArray) -> list[np.ndarray]:
    """One client. An executor writes its outputs anew at each call, hence the copies."""
    return [executor.forward(data=image)[0].asnumpy() for _ in range(CALLS)]


def main() -> None:
    mx.random.seed(0)
    image = mx.nd.random_uniform(shape=IMAGE)
    plain = [image_network(width=8 * cores) for cores in NCS]
    answers = [answer(model, image) for model in plain]
    require(all(difference(answers[0], other) > 1e-2 for other in answers[1:]), "the models cannot be told apart")

    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/model{number}" for number in range(4)]
        for model, cores, file in zip(plain, NCS, files):
            compile_and_save(model, cores, Path(file))
            print(f"compiled {Path(file).name} for {cores} NeuronCores")

        # The lines of the guide. The graph is bound over the arrays, so one for the input is among them.
        sym, args, aux = mx.model.load_checkpoint(files[0], 0)
        args["data"] = mx.nd.zeros(IMAGE)
        model0 = sym.bind(ctx=mx.neuron(0), args=args, aux_states=aux, grad_req="null")
        sym, args, aux = mx.model.load_checkpoint(files[1], 0)
        args["data"] = mx.nd.zeros(IMAGE)
        model1 = sym.bind(ctx=mx.neuron(2), args=args, aux_states=aux, grad_req="null")
        sym, args, aux = mx.model.load_checkpoint(files[2], 0)
        args["data"] = mx.nd.zeros(IMAGE)
        model2 = sym.bind(ctx=mx.neuron(6), args=args, aux_states=aux, grad_req="null")
        sym, args, aux = mx.model.load_checkpoint(files[3], 0)
        args["data"] = mx.nd.zeros(IMAGE)
        model3 = sym.bind(ctx=mx.neuron(9), args=args, aux_states=aux, grad_req="null")

    loaded = [model0, model1, model2, model3]
    print(f"four threads call the four models at once, {CALLS} times each")
    with ThreadPoolExecutor(4) as clients:
        jobs = [clients.submit(feed, executor, image) for executor in loaded]
        results = [job.result() for job in jobs]

    print(f"\n{neuron_adapters.describe()}\n")
    for number, executor in enumerate(loaded):
        (where,) = neuron_adapters.placement(executor)
        worst = max(difference(result, answers[number]) for result in results[number])
        print(f"model {number} on {where!s:8}  {CALLS} calls  largest difference from the original {worst:.1e}")
        require(str(where) == EXPECTED[number], f"model {number} is on {where}, the guide says {EXPECTED[number]}")
        require(worst < 1e-4, f"model {number} answers otherwise than the original")
    print("\nAll four are where the guide says, and answer as the originals do.")


if __name__ == "__main__":
    main()
