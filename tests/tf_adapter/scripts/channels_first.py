from plugin_idioms_head import K
import numpy as np
import tensorflow as tf
import tensorflow.neuron as tfn

kernel = tf.random.uniform([5, 5, 3, 6], -0.1, 0.1, tf.float16)  # in float32, some CPUs have them
bias = tf.random.uniform([6], dtype=tf.float16)


def first(image):
    image = tf.nn.conv2d(tf.pad(image, [[0, 0], [0, 0], [2, 2], [2, 2]]), kernel, [1, 1, 2, 2], "VALID", "NCHW")
    image = tf.nn.bias_add(image, bias, "NCHW")
    return tf.nn.avg_pool2d(tf.nn.max_pool2d(image, 3, 2, "SAME", "NCHW"), 2, 2, "VALID", "NCHW")


def last(image):
    image = tf.nn.conv2d(tf.pad(image, [[0, 0], [2, 2], [2, 2], [0, 0]]), kernel, [1, 2, 2, 1], "VALID")
    image = tf.nn.bias_add(image, bias)
    return tf.nn.avg_pool2d(tf.nn.max_pool2d(image, 3, 2, "SAME"), 2, 2, "VALID")


image = tf.random.uniform([1, 3, 20, 20], dtype=tf.float16)
wanted = tf.transpose(last(tf.transpose(image, [0, 2, 3, 1])), [0, 3, 1, 2])
traced = tfn.trace(first, image)
traced.save("first")
for model in (traced, K.models.load_model("first"), tf.saved_model.load("first")):
    np.testing.assert_allclose(model(image), wanted, rtol=1e-2, atol=1e-2)
