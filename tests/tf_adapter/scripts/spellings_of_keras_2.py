"""Scripts for Keras 2 under Keras 3: how models are saved, and numbers of another precision."""

import os

import absl.logging
import numpy as np
import tensorflow as tf

import neuron_adapters.tf

absl.logging.set_verbosity(absl.logging.ERROR)  # Keras 3 advises against .h5
keras, layers = tf.keras, tf.keras.layers
net = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
x = np.ones((3, 5), "f4")


@tf.function(input_signature=[tf.TensorSpec([None, 5])])
def serve(x):
    return {"scores": net(x)}


def loads(name):
    np.testing.assert_allclose(keras.models.load_model(name)(x), net(x), rtol=1e-6)


for name, arguments in {
    "a": {"save_format": "tf"},
    "b": {"include_optimizer": False},
    "./c.tf": {},
    "d": {"signatures": None, "options": None, "save_traces": False},
    "model_v1.2": {"overwrite": True},
    "e.keras": {"save_format": "keras"},
    "f.h5": {"save_format": "h5", "include_optimizer": False},
    "g.keras": {"signatures": None},
    "h": {"options": tf.saved_model.SaveOptions()},
}.items():
    net.save(name, **arguments)
    assert os.path.isdir(name) == (not name.endswith((".keras", ".h5"))), name
    loads(name)
net.save("k", True)
loads("k")
keras.models.save_model(net, "l", True, False)
loads("l")
net.save("m", signatures=serve)
assert list(tf.saved_model.load("m").signatures["serving_default"](tf.constant(x))) == ["scores"]
for wrong in ({"save_format": "h5"}, {"save_format": "other"}, {"something": 1}):
    try:
        net.save("n", **wrong)
    except (TypeError, ValueError):
        continue
    raise AssertionError(wrong)

net.compile("sgd", "mse")
checkpoint = keras.callbacks.ModelCheckpoint("at_{epoch}", save_best_only=True, monitor="loss")
net.fit(x, np.zeros((3, 2), "f4"), epochs=1, verbose=0, callbacks=[checkpoint])
loads("at_1")

tokens = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(20, 3)])
tokens.save("tokens")
numbers = np.array([[1, 2, 3]])  # int64
model = keras.models.load_model("tokens")
for result in (model(numbers), model.predict(numbers, verbose=0), model(tf.constant(numbers))):
    np.testing.assert_array_equal(result, tokens(numbers))
print("done")
