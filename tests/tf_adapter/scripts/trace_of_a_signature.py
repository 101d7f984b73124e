from plugin_idioms_head import K, L, fails, same
import tensorflow as tf
import tensorflow.neuron as tfn

inputs = [K.Input((3,), name="z"), K.Input((3,), name="a")]
two = K.Model(inputs, L.Subtract()(inputs))
K.models.save_model(two, "two")
loaded = tf.saved_model.load("two")
signature = loaded.signatures["serving_default"]
captured = {inner.name for _value, inner in signature.graph.captures}
order = [tensor.op.name for tensor in signature.inputs if tensor.name not in captured]
feed = {"z": tf.random.uniform([1, 3]), "a": tf.random.uniform([1, 3])}
listed = [feed[name.removeprefix("serving_default_")] for name in order]
wanted = feed["z"] - feed["a"]
same(next(iter(tfn.trace(signature, listed)(*listed).values())), wanted)
same(next(iter(tfn.trace(signature, feed)(**feed).values())), wanted)
fails(ValueError, lambda: tfn.trace(signature, listed[:1]), "takes a, z")
