"""SPEC K1, X2: however a compiled model is called, the answer is the original's, in memory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import neuron_adapters
import neuron_adapters.tf as tfn

RNG = np.random.default_rng(11)


def same(actual: Any, expected: Any) -> None:
    """The tolerance of SPEC K3."""
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """A model of which input and output are larger than what is copied, as pictures are."""
    layers = [keras.Input((64, 64, 3)), keras.layers.Conv2D(4, 3, padding="same", activation="relu")]
    return keras.Sequential(layers)


@pytest.fixture(params=["openvino", "framework"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", request.param)
    return str(request.param)


def pictures(count: int) -> Iterator[np.ndarray]:
    for _ in range(count):
        yield RNG.random((1, 64, 64, 3), dtype="f4")


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy in memory that an engine can read where it is."""
    raw = np.empty(array.nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    copy = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize(
    "form", [tf.constant, aligned, np.array, np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::2]]
)
def test_large_arrays(engine: str, plain: keras.Model, form: Callable[[Any], Any]) -> None:
    """They are read wherever they are, and a result stays what it was while the model goes on."""
    inputs = [form(picture) for picture in pictures(3)]
    traced = tfn.trace(plain, tf.constant(inputs[0]))
    results = [traced(x) for x in inputs for _ in range(2)]
    for index, result in enumerate(results):
        same(result, plain(np.array(inputs[index // 2])))
    assert neuron_adapters.describe().models[-1].engine == {"framework": "tf"}.get(engine, engine)


def test_bytes_in_the_other_order(engine: str, plain: keras.Model) -> None:
    """``>f4`` has the name of ``f4`` in TensorFlow. What Keras says to it is what a placed model says."""
    x = next(pictures(1))
    traced = tfn.trace(plain, tf.constant(x))
    same(traced(x), plain(x))
    swapped = x.astype(x.dtype.newbyteorder())
    try:
        expected = tf.convert_to_tensor(swapped)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            traced(swapped)
    else:
        same(traced(swapped), plain(expected))


class Both(keras.Model):
    """Takes a dictionary, of which the order of keys is not that of names."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"less": inputs["z"] - tf.cast(inputs["a"], tf.float32), "more": inputs["z"] + 1.0}


def test_structures_are_matched_at_each_call(engine: str) -> None:
    """The second call of a kind takes a shorter way. It must pair by name, too, and keep what kinds differ in."""
    z, a = RNG.random((2, 3), dtype="f4"), np.arange(6, dtype="i4").reshape(2, 3)
    traced = tfn.trace(Both(), {"z": tf.constant(z), "a": tf.constant(a)})
    for _ in range(3):
        for call in (
            {"z": z, "a": a},
            {"a": a, "z": z},
            {"a": tf.constant(a), "z": z},
            {"z": tf.constant(z), "a": tf.constant(a)},
            {"z": z.astype("f8"), "a": a},
            {"z": z.T.copy().T, "a": a},
        ):
            for result in (traced(call), traced(call, training=False)):
                same(result["less"], z - a)
                same(result["more"], z + 1)
        for wrong in (
            {"z": z, "a": a.astype("i8")},
            {"z": z, "a": a.astype("f4")},
            {"z": z[:1], "a": a},
            {"z": a, "a": z},
            {"z": z},
            {"z": z, "b": a},
            {"z": z, "a": a, "b": a},
            [z, a, a],
        ):
            with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
                traced(wrong)


def test_numbers_are_not_tensors(engine: str) -> None:
    """A number among the arguments is part of the call, each time."""
    x = RNG.random((2, 3), dtype="f4")
    traced = tfn.trace(lambda x, y: x * y, (tf.constant(x), tf.constant(2.0)))
    for number in (2.0, 3.0, 2.0, 3.0):
        same(traced(x, number), x * number)
        same(traced(x, np.float32(number)), x * number)
        same(traced(x, np.float64(number)), x * number)


def test_a_sliced_batch(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of a dynamic batch is sliced anew, in whatever structure."""
    monkeypatch.setenv("NEURON_CC_FLAGS", "--dynamic-batch-size")
    x = RNG.random((7, 4), dtype="f4")
    traced = tfn.trace(lambda d: d["x"] * 2.0, ({"x": tf.constant(x[:2])},))
    for rows in (2, 7, 1, 2, 7, 1):
        same(traced({"x": x[:rows]}), x[:rows] * 2)


DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import neuron_adapters.tf as tfn
plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
x = tf.ones((2, 4))
for placed in (tfn.trace(plain, x), plain):
    for name in (None, "/CPU:0", "/CPU:1", None, "/CPU:1"):
        with tf.device(name):
            y, z = placed(x), tf.constant([1.0])
        print(y.device == z.device, y.backing_device == z.backing_device)
"""


def test_results_are_on_the_callers_device(script: Callable[..., str]) -> None:
    """``tf.device`` holds for results as for any tensor."""
    assert script(DEVICES, imported=True) == "True True\n" * 10
