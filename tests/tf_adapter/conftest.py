"""Keras models on disk, runtimes in this process, and scripts in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf

import neuron_adapters.tf as tfn

sys.path.insert(0, str(Path(__file__).parent))


def network(seed: int = 0) -> keras.Model:
    """Convolution, normalisation, dropout and a head: enough to have every kind of weight."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(5, name="scores"),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.random(w.shape, dtype=np.float32) - (0.0 if w.ndim == 1 else 0.5) for w in model.get_weights()]
    )
    return model


@pytest.fixture(scope="session")
def net() -> keras.Model:
    return network()


@pytest.fixture(scope="session")
def image() -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).random((2, 8, 8, 3), dtype=np.float32))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, net: keras.Model, image: tf.Tensor) -> Path:
    """A folder with SavedModels k1 to k4, compiled for 1 to 4 NCs, and plain.keras and plain.h5, never compiled."""
    folder = tmp_path_factory.mktemp("models")
    before = os.environ.get("NEURON_CC_FLAGS")
    for cores in (1, 2, 3, 4):
        os.environ["NEURON_CC_FLAGS"] = f"--neuroncore-pipeline-cores={cores}"
        tfn.trace(net, image).save(str(folder / f"k{cores}"))
    os.environ.pop("NEURON_CC_FLAGS")
    if before is not None:
        os.environ["NEURON_CC_FLAGS"] = before
    net.save(folder / "plain.keras")
    net.save(folder / "plain.h5")
    return folder


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None) -> None:
    """Each test has NCs of its own."""


@pytest.fixture
def script(run_script: Callable[..., str]) -> Callable[..., str]:
    """Run a script, or a snippet, in a process of its own, warnings as errors but NumPy's about TensorFlow; returns
    what it printed. ``imported``: see ``run_script``."""
    head = "warnings.filterwarnings('ignore', '__array__ implementation', DeprecationWarning)\n"
    return lambda script, *arguments, **variables: run_script(
        script, *arguments, head=head, **{"TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    )
