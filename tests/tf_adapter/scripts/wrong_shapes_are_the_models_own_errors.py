"""After good shapes of two sizes, a shape that the model does not take is refused as Keras refuses it."""

import legacy_keras_head

import numpy as np
import tensorflow as tf

import neuron_adapters.tf

keras, layers = tf.keras, tf.keras.layers


def two_inputs():
    first, second = keras.Input((None,)), keras.Input((None,))
    return keras.Model([first, second], layers.Add()([first, second]))


def said(model, x):
    try:
        return model(x).numpy()
    except Exception as error:
        return type(error).__name__, str(error).strip().partition("\n")[0]


MODELS = {
    "dense": (
        lambda: [keras.Input((8,)), layers.Dense(3)],
        [(4, 8), (5, 8)],
        [(4, 1), (4, 9), (8,), (2, 3, 8), (0, 8)],
    ),
    "normalization": (lambda: [keras.Input((8,)), layers.BatchNormalization()], [(4, 8), (5, 8)], [(4, 1), (1, 9)]),
    "open": (
        lambda: [keras.Input((None, 2)), layers.Conv1D(3, 3), layers.GlobalMaxPooling1D()],
        [(1, 5, 2), (2, 5, 2), (1, 7, 2)],
        [(3, 9, 2), (1, 2, 2), (1, 5, 1), (2, 7, 3)],
    ),
    "picture": (
        lambda: [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)],
        [(1, 8, 8, 1), (2, 8, 8, 1)],
        [(1, 8, 9, 1), (1, 8, 8, 3), (3, 4, 4, 1)],
    ),
    "table": (lambda: [keras.Input((4,), dtype="int32"), layers.Embedding(5, 2)], [(1, 4), (2, 4)], [(3, 4), (1, 3)]),
    "two inputs": (two_inputs, [[(2, 3), (2, 3)], [(2, 4), (2, 4)]], [[(2, 3), (2, 4)], [(2, 3), (2, 1)], [(2, 3)]]),
}
for name, (make, good, bad) in MODELS.items():
    network = make()
    net = keras.Sequential(network) if isinstance(network, list) else network
    net.save("m.keras")
    model = keras.models.load_model("m.keras")
    dtype = "int32" if name == "table" else "float32"
    for shape in [*good, *bad, *good]:
        shapes = shape if isinstance(shape, list) else [shape]
        x = [tf.constant(np.arange(np.prod(size)).reshape(size), dtype) for size in shapes]
        actual, expected = (said(call, x if isinstance(shape, list) else x[0]) for call in (model, net))
        assert type(actual) is type(expected), (name, shape, actual, expected)
        alike = actual == expected if isinstance(expected, tuple) else np.array_equal(actual, expected)
        assert alike, (name, shape, actual, expected)
print("done")
