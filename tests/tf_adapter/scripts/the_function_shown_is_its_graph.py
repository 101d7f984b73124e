from plugin_idioms_head import net, same, x
import numpy as np
import tensorflow as tf
import tensorflow.neuron as tfn

f = tfn.trace(net, x).aws_neuron_function
assert all(tensor.graph is f.graph for tensor in [*f.inputs, *f.outputs])
assert sorted(op.type for op in f.graph.get_operations()) == ["IdentityN", "NeuronOp", "Placeholder"]
with tf.Graph().as_default() as graph:
    tf.import_graph_def(f.graph.as_graph_def(), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        result = session.run(f.outputs[0].name, {f.inputs[0].name: np.ones([1, 4], "f4")})
same(result, net(tf.ones([1, 4])))
