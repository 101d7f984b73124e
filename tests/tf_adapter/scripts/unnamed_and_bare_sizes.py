import legacy_keras_head
import numpy as np
import tensorflow as tf

import neuron_adapters.tf
import tensorflow.neuron as tfn

inputs = [tf.keras.layers.Input(3) for _ in range(3)]
dense = [tf.keras.layers.Dense(3)(tensor) for tensor in inputs]
added = tf.keras.layers.Add()(dense[:2])
net = tf.keras.Model(inputs, [tf.keras.layers.Activation("sigmoid")(added), added, dense[2]])
x = [tf.random.uniform([1, 3]) for _ in range(3)]
model = tfn.trace(net, x)
assert "NeuronOp" in {op.type for op in model.aws_neuron_function.graph.get_operations()}
model.save("m")
again = tf.keras.models.load_model("m")
for actual, expected in zip(again(x), net(x)):
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
assert again.on_neuron_ratio == 1.0
many = tfn.auto_multicore(again, x, num_cores=2)
for actual, expected in zip(many(x), net(x)):
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
