import logging

from plugin_idioms_head import np, same
import tensorflow as tf
import tensorflow.neuron as tfn

logging.getLogger("neuron_adapters").setLevel(logging.ERROR)  # it says that the model runs as one piece
kernels, bias = [tf.random.uniform([1, 1, 4, 4]) for _ in range(2)], tf.random.uniform([4])


def func(image, other):
    found = tf.nn.relu(tf.nn.conv2d(image, kernels[0], 1, "VALID"))
    found = tf.tanh(tf.nn.conv2d(tf.identity(found), kernels[1], 1, "VALID"))
    low, high = tf.split(tf.nn.bias_add(found, tf.sigmoid(bias)), 2, -1)
    return {"all": [low * other, high], "same": other, "mean": tf.reduce_mean(found)}


def types(function):
    return [op.type for op in function.graph.get_operations()]


given = tf.random.uniform([1, 8, 8, 4]), tf.random.uniform([1, 1, 1, 1])
model = tfn.trace(func, given, lambda node: node.op in {"BiasAdd", "Const", "Conv2D", "Relu", "Mul"})
model.save("saved")
for one in (model, tf.saved_model.load("saved")):
    same(one(*given)["all"][0], func(*given)["all"][0])
    shown = one.aws_neuron_function
    found = types(shown)
    assert [found.count(kind) for kind in ("Tanh", "Sigmoid", "Conv2D", "Relu", "BiasAdd", "Mul")] == [1, 1, 0, 0, 0, 0]
    assert found.count("NeuronOp") == 3, found
    assert found.count("Placeholder") == 2, found
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(shown.graph.as_graph_def(), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            feed = {tensor.name: value.numpy() for tensor, value in zip(shown.inputs, given)}
            results = session.run([tensor.name for tensor in shown.outputs], feed)
    for result, wanted in zip(results, tf.nest.flatten(func(*given))):
        same(result, wanted)
assert 0 < model.on_neuron_ratio < 1
assert types(tfn.trace(func, given, lambda _node: True).aws_neuron_function).count("NeuronOp") == 1
none = tfn.trace(func, given, lambda _node: False)
assert none.on_neuron_ratio == 0
assert "Conv2D" in types(none.aws_neuron_function)
