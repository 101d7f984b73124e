"""Replicas from the command line: ``tf-neuron-auto-multicore`` writes a SavedModel that loads on several NeuronCores.

A Keras model is compiled for one NeuronCore and saved. The command copies it, with the number of replicas in the copy.
The copy is then loaded as any other file, and calls from many threads use all replicas (SPEC R3, R4). Where the command
cannot do what it was asked for, it says so in one line and its exit code is not 0.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "8"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says little while it starts

import keras
import tensorflow as tf
from _keras_models import difference, image_network, require

import neuron_adapters
import neuron_adapters.tf as tfn

REPLICAS = 4
CALLS = 40


def auto_multicore(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``tf-neuron-auto-multicore``. It may stand elsewhere than on the PATH: this is the same program."""
    command = [sys.executable, "-m", "neuron_adapters.tools.auto_multicore", *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, check=False)


def main() -> None:
    keras.utils.set_random_seed(0)
    image = tf.random.uniform((1, 64, 64, 3))
    plain = image_network(width=8)
    answer = plain(image)

    with tempfile.TemporaryDirectory() as temporary:
        single, many, two_ncs = (Path(temporary) / name for name in ("model", "model_multicore", "pipeline"))
        tfn.trace(plain, image).save(single)
        done = auto_multicore(single, "--num_cores", REPLICAS, "--new_model_dir", many)
        print(done.stdout.replace(temporary, "."), end="")
        require(done.returncode == 0, f"the command ended with {done.returncode}: {done.stderr}")
        model = tf.keras.models.load_model(many)

        os.environ["NEURON_CC_FLAGS"] = "--neuroncore-pipeline-cores=2"
        tfn.trace(plain, image).save(two_ncs)
        refused = auto_multicore(two_ncs, "--num_cores", REPLICAS, "--new_model_dir", Path(temporary) / "never")
        print(refused.stderr.splitlines()[-1].replace(temporary, "."))
        require(refused.returncode == 1, f"a model of two NeuronCores: the command ended with {refused.returncode}")

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _turn: model(image), range(CALLS)))
    worst = max(difference(result, answer) for result in results)
    where = [str(place) for place in neuron_adapters.placement(model)]
    print(f"\n{neuron_adapters.describe()}\n")
    print(f"replicas on {', '.join(where)}  {CALLS} calls  largest difference from plain Keras {worst:.1e}")
    require(where == [f"NC{nc}" for nc in range(REPLICAS)], f"the replicas are on {where}")
    require(worst < 1e-4, "the replicas answer otherwise than plain Keras")
    print("The command's copy runs on four NeuronCores, and answers as plain Keras does.")


if __name__ == "__main__":
    main()
