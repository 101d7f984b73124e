import logging

from plugin_idioms_head import np, same
import tensorflow as tf
import tensorflow.neuron as tfn

logging.getLogger("neuron_adapters").setLevel(logging.ERROR)  # it says that the model runs as one piece
kernels, bias = [tf.random.uniform([1, 1, 4, 4]) for _ in range(2)], tf.random.uniform([4])


def func(image, other):
    hidden = tf.nn.relu(tf.nn.conv2d(image, kernels[0], 1, "VALID"))
    hidden = tf.tanh(tf.nn.conv2d(tf.identity(hidden), kernels[1], 1, "VALID"))
    low, high = tf.split(tf.nn.bias_add(hidden, tf.sigmoid(bias)), 2, -1)
    return {"all": [low * other, high], "same": other, "mean": tf.reduce_mean(hidden)}


def types(function):
    return [op.type for op in function.graph.get_operations()]


example = tf.random.uniform([1, 8, 8, 4]), tf.random.uniform([1, 1, 1, 1])
model = tfn.trace(func, example, lambda node: node.op in {"BiasAdd", "Const", "Conv2D", "Relu", "Mul"})
model.save("saved")
for compiled in (model, tf.saved_model.load("saved")):
    same(compiled(*example)["all"][0], func(*example)["all"][0])
    shown = compiled.aws_neuron_function
    operators = types(shown)
    assert [operators.count(kind) for kind in ("Tanh", "Sigmoid")] == [1, 1], operators
    assert not {"Conv2D", "Relu", "BiasAdd", "Mul"} & set(operators), operators
    assert operators.count("NeuronOp") == 3, operators
    assert operators.count("Placeholder") == 2, operators
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(shown.graph.as_graph_def(), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            feed = {tensor.name: value.numpy() for tensor, value in zip(shown.inputs, example)}
            results = session.run([tensor.name for tensor in shown.outputs], feed)
    for result, wanted in zip(results, tf.nest.flatten(func(*example))):
        same(result, wanted)
assert 0 < model.on_neuron_ratio < 1
assert types(tfn.trace(func, example, lambda _node: True).aws_neuron_function).count("NeuronOp") == 1
none = tfn.trace(func, example, lambda _node: False)
assert none.on_neuron_ratio == 0
assert "Conv2D" in types(none.aws_neuron_function)
