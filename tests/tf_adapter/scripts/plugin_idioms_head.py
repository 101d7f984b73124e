import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
import collections
import gc
import os
import numpy as np
import tensorflow as tf
import neuron_adapters
import neuron_adapters.tf
import tensorflow.neuron as tfn

K, L = tf.keras, tf.keras.layers
tf.get_logger().setLevel("ERROR")


def same(actual, wanted):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(wanted), rtol=1e-3, atol=1e-4)


def fails(kind, function, words):
    try:
        function()
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError("nothing was raised")


x = tf.random.uniform([1, 4])
net = K.Sequential([L.Input(4), L.Dense(2)])
plain = net(x)
