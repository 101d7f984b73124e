import os

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)


def conv():
    i = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3)(i)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.DepthwiseConv2D(3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(i, keras.layers.Dense(10, activation="softmax")(x)), rng.random((2, 16, 16, 3), dtype="f4")


def recurrent():
    layers = [
        keras.Input((20,)),
        keras.layers.Embedding(50, 16),
        keras.layers.LSTM(8, return_sequences=True),
        keras.layers.Bidirectional(keras.layers.GRU(4)),
    ]
    return keras.Sequential(layers), rng.integers(0, 50, (3, 20))


def attention():
    i = keras.Input((7, 16))
    x = keras.layers.MultiHeadAttention(2, 8)(i, i)
    x = keras.layers.LayerNormalization()(x + i)
    return keras.Model(i, keras.layers.Dense(4, activation="gelu")(x)), rng.random((2, 7, 16), dtype="f4")


answers = []
for number, make in enumerate((conv, recurrent, attention)):
    model, x = make()
    model.set_weights([rng.random(w.shape) - 0.3 * (w.ndim > 1) for w in model.get_weights()])
    model.save(f"{number}.keras")
    answers.append((model(x).numpy(), x))
import neuron_adapters.tf
import neuron_adapters

for number, (expected, x) in enumerate(answers):
    model = keras.models.load_model(f"{number}.keras")
    for actual in (model(x), model(tf.constant(x)), model(x, training=False), model.predict(x, verbose=0)):
        assert np.array_equal(actual, expected), number
    assert all(row.why == "not compiled" and row.calls > 2 for row in neuron_adapters.describe().models[-1:])
print("same")
