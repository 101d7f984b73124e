"""SPEC K2, K3: a model answers as TensorFlow does where an engine, or another thread, would not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.neuron as tfn

import neuron_adapters
import neuron_adapters.tf

ENGINES = ["framework", "openvino"]
DENORMAL: dict[str, Callable[[Any], Any]] = {
    "ceil": tf.math.ceil,
    "equal": lambda x: tf.equal(x, 0.0),
    "floor": tf.floor,
    "sign": tf.sign,
    "to a boolean": lambda x: tf.cast(x, tf.bool),
    "reciprocal": tf.math.reciprocal_no_nan,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", DENORMAL)
def test_denormal_numbers(monkeypatch: pytest.MonkeyPatch, engine: str, name: str) -> None:
    """TensorFlow's threads take them for zero."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    function = tf.function(DENORMAL[name])
    compiled = tfn.trace(function, np.array([[0.5, -1.5, 0.0]], np.float32))
    x = tf.constant([[1e-45, -1e-40, 3.0]])
    np.testing.assert_array_equal(compiled(x), function(x))


def _picture_network() -> tf.keras.Model:
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)
    return tf.keras.Sequential(
        [
            tf.keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, 2, activation="relu"),
            layers.MaxPool2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e38, -3e38])
def test_picture_with_a_broken_pixel(monkeypatch: pytest.MonkeyPatch, number: float) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    network = _picture_network()
    picture = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    compiled = tfn.trace(network, picture)
    np.testing.assert_allclose(compiled(picture), network(picture), rtol=1e-3, atol=1e-4)
    assert _guarded() == 0
    picture[0, 5, 5, 0] = number
    np.testing.assert_allclose(compiled(picture), network(picture), rtol=1e-3, atol=1e-4)
    assert _guarded() == 1


@pytest.mark.parametrize("index", [20, 999, -1, -21, 2**31 - 1])
def test_index_outside_of_its_table(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    layers = tf.keras.layers
    network = tf.keras.Sequential(
        [
            tf.keras.Input((8,), dtype="int32"),
            layers.Embedding(20, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )
    ids = np.arange(8, dtype=np.int32)[None]
    compiled = tfn.trace(network, ids)
    np.testing.assert_allclose(compiled(ids), network(ids), rtol=1e-3, atol=1e-4)
    ids[0, 3] = index
    function = tf.function(lambda x: network(x))
    try:
        expected = function(ids)
    except tf.errors.InvalidArgumentError:
        with pytest.raises(tf.errors.InvalidArgumentError):
            compiled(ids)
    else:
        np.testing.assert_allclose(compiled(ids), expected, rtol=1e-3, atol=1e-4)
    assert _guarded() == (index != -1)  # from there Keras itself counts from the end


def _guarded() -> int:
    return sum(model.guarded for model in neuron_adapters.describe().models)
