from plugin_idioms_head import net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

weightless = lambda batch: tf.nn.relu(batch) + tf.nn.sigmoid(batch)
for model, wanted in ((net, plain), (weightless, weightless(x))):
    tfn.trace(model, x).save("compiled")
    signature = tf.saved_model.load("compiled").signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(signature)
    assert "StatefulPartitionedCall" in {op.type for op in frozen.graph.get_operations()}
    same(tf.nest.flatten(frozen(x))[0], wanted)
    same(tf.nest.flatten(signature(x))[0], wanted)
