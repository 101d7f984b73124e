"""Four Keras models on four runs of NeuronCores, within one process.

The TensorFlow part of the AWS Neuron guide "Parallel Execution using NEURON_RT_NUM_CORES": models 0 to 3 are compiled
for 2, 4, 3 and 4 NeuronCores. Loaded one after the other they land on NC0-NC1, NC2-NC5, NC6-NC8 and NC9-NC12
(SPEC P1, P8). Then four threads feed them at the same time (SPEC P5).
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "13"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says little while it starts

import keras
import tensorflow as tf
from _keras_models import difference, image_network, require

import neuron_adapters
import neuron_adapters.tf as tfn

NCS = [2, 4, 3, 4]
EXPECTED = ["NC0-NC1", "NC2-NC5", "NC6-NC8", "NC9-NC12"]
CALLS = 25


def compile_all(models: list[keras.Model], image: tf.Tensor, folder: Path) -> list[Path]:
    """Compile each model for its number of NeuronCores and save it as a SavedModel directory."""
    directories = []
    for number, (model, cores) in enumerate(zip(models, NCS)):
        os.environ["NEURON_CC_FLAGS"] = f"--neuroncore-pipeline-cores={cores}"
        compiled = tfn.trace(model, image)
        directories.append(folder / f"model{number}")
        compiled.save(directories[-1])
        print(f"compiled model {number} for {cores} NeuronCores")
    del os.environ["NEURON_CC_FLAGS"]
    return directories


def feed(model: keras.Model, image: tf.Tensor) -> list[tf.Tensor]:
    """One client."""
    return [model(image) for _ in range(CALLS)]


def run_all(models: list[keras.Model], image: tf.Tensor) -> list[list[tf.Tensor]]:
    """Four clients at once, each with a model of its own."""
    with ThreadPoolExecutor(len(models)) as clients:
        jobs = [clients.submit(feed, model, image) for model in models]
        return [job.result() for job in jobs]


def main() -> None:
    keras.utils.set_random_seed(0)
    image = tf.random.uniform((1, 64, 64, 3))
    plain = [image_network(width=16 * cores) for cores in NCS]
    answers = [model(image) for model in plain]

    with tempfile.TemporaryDirectory() as folder:
        files = compile_all(plain, image, Path(folder))
        # The four lines of the guide. Nothing says where a model goes.
        model0 = tf.keras.models.load_model(files[0])
        model1 = tf.keras.models.load_model(files[1])
        model2 = tf.keras.models.load_model(files[2])
        model3 = tf.keras.models.load_model(files[3])

    loaded = [model0, model1, model2, model3]
    print(f"four threads call the four models at once, {CALLS} times each")
    results = run_all(loaded, image)

    print(f"\n{neuron_adapters.describe()}\n")
    for number, model in enumerate(loaded):
        (where,) = neuron_adapters.placement(model)
        worst = max(difference(result, answers[number]) for result in results[number])
        print(f"model {number} on {where!s:8}  {CALLS} calls  largest difference from plain Keras {worst:.1e}")
        require(isinstance(model, keras.Model), f"load_model() returned a {type(model).__name__}")
        require(str(where) == EXPECTED[number], f"model {number} is on {where}, the guide says {EXPECTED[number]}")
        require(worst < 1e-4, f"model {number} answers otherwise than plain Keras")
    print("\nAll four are where the guide says, and answer as plain Keras does.")


if __name__ == "__main__":
    main()
