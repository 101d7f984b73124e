"""One Keras model, several replicas: calls from many threads use them all (SPEC R3, R4).

A model of one NeuronCore, compiled or not, is loaded as up to four replicas. ``auto_multicore()`` names another number.
Both are described in the section "Auto Model Replication in TensorFlow Neuron" of the AWS Neuron guide "Parallel
Execution using NEURON_RT_NUM_CORES". The replicas hold the weights once (SPEC K5).
"""

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["NEURON_RT_NUM_CORES"] = "12"
os.environ.setdefault("NEURON_ADAPTERS_WAIT", "30")  # seconds, should another process own NeuronCores just now
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says little while it starts

import keras
import tensorflow as tf
from _keras_models import difference, image_network, require

import neuron_adapters
import neuron_adapters.tf as tfn
import neuron_rt

CALLS, THREADS = 96, 8


def feed(model: keras.Model, image: tf.Tensor) -> list[tf.Tensor]:
    """Call one model from eight threads at once."""
    start = threading.Barrier(THREADS)

    def client(_number: int) -> list[tf.Tensor]:
        start.wait()
        return [model(image) for _ in range(CALLS // THREADS)]

    with ThreadPoolExecutor(THREADS) as threads:
        return [result for results in threads.map(client, range(THREADS)) for result in results]


def main() -> None:
    keras.utils.set_random_seed(0)
    image = tf.random.uniform((1, 64, 64, 3))
    plain = image_network(width=8)
    answer = plain(image)

    with tempfile.TemporaryDirectory() as folder:
        plain.save(Path(folder) / "model.keras")
        four = tf.keras.models.load_model(Path(folder) / "model.keras")
        eight = tfn.auto_multicore(tfn.trace(plain, image), image, num_cores=8)

    for model in (four, eight):
        worst = max(difference(result, answer) for result in feed(model, image))
        require(worst < 1e-4, f"the outputs differ from plain Keras by {worst:.1e}")

    print(f"{neuron_adapters.describe()}\n")
    for model in neuron_rt.init().models():
        calls = [slot.calls for slot in model.slots]
        print(f"{model.name}: {len(calls)} replicas, calls of each: {' '.join(map(str, calls))}")
        require(sum(calls) == CALLS, f"{sum(calls)} calls were counted, {CALLS} were made")
        require(min(calls) > 0, f"a replica was never called: {calls}")

    where = [str(place) for place in neuron_adapters.placement(four)]
    require(where == [f"NC{nc}" for nc in range(4)], f"load_model() made replicas on {where}")
    where = [str(place) for place in neuron_adapters.placement(eight)]
    require(where == [f"NC{nc}" for nc in range(4, 12)], f"auto_multicore() made replicas on {where}")
    print("\nEvery replica did its share, and all answer as plain Keras does.")


if __name__ == "__main__":
    main()
