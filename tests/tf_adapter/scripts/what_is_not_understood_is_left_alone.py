"""What ``load_model`` reads besides models of layers, and where: it comes back as the framework's own, and works."""

import legacy_keras_head
import contextlib

import numpy as np
import tensorflow as tf

import neuron_adapters
import neuron_adapters.tf
from neuron_adapters.adapter.hooks import original

keras, layers = tf.keras, tf.keras.layers
legacy = not hasattr(keras, "ops")
tf.get_logger().setLevel("ERROR")  # Keras 2 warns of SavedModels that it did not write


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = tf.Variable(tf.ones((4, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def __call__(self, x):
        return x @ self.v


def mirrored():
    return tf.distribute.MirroredStrategy(["/cpu:0"]).scope()


def lookups():
    """Models with tables, by name, each with an input."""
    text = layers.TextVectorization(max_tokens=50, output_sequence_length=6)
    text.adapt(["hello big world", "big cat"])
    yield text, tf.constant([["hello cat"]])
    strings = layers.StringLookup()
    strings.adapt([["cat", "dog"]])
    yield strings, tf.constant([["cat"]])
    integers = layers.IntegerLookup()
    integers.adapt(np.array([[3], [4]]))
    yield integers, tf.constant([[4]], tf.int64)
    normal = layers.Normalization()
    normal.adapt(np.arange(8.0, dtype="f4").reshape(8, 1))
    yield normal, tf.constant([[4.0]])


def same(path, x, placed, scope=contextlib.nullcontext):
    """Loads as without the adapter, and answers alike. ``placed``: whether it has NeuronCores."""
    with scope():
        loaded = keras.models.load_model(path)
    with scope():
        own = original(keras.models.load_model)(path)
    assert type(loaded).__name__ == type(own).__name__, (type(loaded), type(own))
    for _ in range(2):
        np.testing.assert_array_equal(loaded(x), own(x))
    assert bool(neuron_adapters.placement(loaded)) == placed, path


x = tf.ones((2, 4))
net = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
net.save("net.keras")
same("net.keras", x, True)
same("net.keras", x, False, mirrored)
tf.saved_model.save(net, "net")
tf.saved_model.save(Module(), "module")
for folder in ("net", "module"):
    with mirrored():
        restored = tf.saved_model.load(folder)
    results = [
        tf.nest.flatten(loaded.signatures["serving_default"](x))[0]
        for loaded in (restored, tf.saved_model.load(folder))
    ]
    np.testing.assert_array_equal(*results)
    assert not neuron_adapters.placement(restored)
    if not legacy:
        with mirrored():
            model = keras.models.load_model(folder)
        np.testing.assert_array_equal(model(x), keras.models.load_model(folder)(x))
if legacy:
    same("module", x, True)
for layer, text in lookups():
    inputs = keras.Input((1,), dtype=text.dtype)
    keras.Model(inputs, layer(inputs)).save("lookup.keras")
    same("lookup.keras", text, True)
print("done")
