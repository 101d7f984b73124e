from plugin_idioms_head import same, x
import tensorflow as tf
import tensorflow.neuron as tfn

from tensorflow.python.eager import wrap_function

graph = tfn.trace(lambda batch: tf.nn.relu(batch) + 1.0, x).aws_neuron_function.graph
function = wrap_function.function_from_graph_def(
    graph.as_graph_def(), [tensor.name for tensor in graph.inputs], graph.outputs[0].name
)
same(function(x), tf.nn.relu(x) + 1.0)
del function
tf.random.set_seed(1)
