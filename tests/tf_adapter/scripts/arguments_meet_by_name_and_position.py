from plugin_idioms_head import K, fails, same
import tensorflow as tf
import tensorflow.neuron as tfn


def minus(z, a):
    return z - a


z, a = tf.random.uniform([2, 3]), tf.random.uniform([2, 3])
for example in ((z, a), {"z": z, "a": a}, {"a": a, "z": z}):
    traced = tfn.trace(minus, example)
    for result in (
        traced(z, a),
        traced(z=z, a=a),
        traced(a=a, z=z),
        traced(z, a=a),
        traced([z, a]),
        traced({"a": a, "z": z}),
    ):
        same(result, z - a)
    fails(tf.errors.InvalidArgumentError, lambda: traced(z), "compiled for 2 input tensor")
    fails(tf.errors.InvalidArgumentError, lambda: traced(z, a, a), "compiled to be called with (")
    fails(ValueError, lambda: traced(z, b=a), "got (tensor, b=tensor)")
    traced.save("minus")
    same(K.models.load_model("minus")(a=a, z=z), z - a)
