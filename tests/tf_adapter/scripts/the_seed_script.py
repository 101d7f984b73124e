import legacy_keras_head
import os
import numpy as np
import tensorflow as tf

os.environ["NEURON_RT_NUM_CORES"] = "13"
import neuron_adapters.tf
import tensorflow.neuron as tfn
import neuron_adapters

assert tf.keras.Model.__module__.startswith("tf_keras"), tf.keras.Model
x = tf.random.uniform([1, 8, 8, 3])
models, plain = [], []
for name, cores in zip("ABCD", (2, 4, 3, 4)):
    i = tf.keras.layers.Input((8, 8, 3))
    o = tf.keras.layers.Dense(4)(tf.keras.layers.Flatten()(tf.keras.layers.Conv2D(4, 3, activation="relu")(i)))
    net = tf.keras.Model(i, o)
    os.environ["NEURON_CC_FLAGS"] = f"--neuroncore-pipeline-cores={cores}"
    tfn.trace(net, x).save(f"./model_{name}")
    plain.append(net)
    models.append(tf.keras.models.load_model(f"model_{name}"))
for net, model in zip(plain, models):
    assert isinstance(model, tf.keras.Model)
    np.testing.assert_allclose(model(x), net(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.predict(x, verbose=0), net(x), rtol=1e-3, atol=1e-4)
    print([(place.start_nc, place.nc_count) for place in neuron_adapters.placement(model)])
