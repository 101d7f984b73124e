from plugin_idioms_head import K, L, fails, net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

K.models.save_model(net, "plain")
tfn.trace(net, x).save("traced")
tfn.saved_model.compile("plain", "compiled")
for name in ("plain", "traced", "compiled"):
    model = K.models.load_model(name)
    same(next(iter(model.signatures["serving_default"](x).values())), plain)
inputs = [K.Input((3,), name="z"), K.Input((3,), name="a")]
two = K.Model(inputs, L.Subtract()(inputs))
K.models.save_model(two, "two")
tfn.saved_model.compile("two", "two_compiled")
signature = tf.saved_model.load("two_compiled").signatures["serving_default"]
z, a = tf.random.uniform([1, 3]), tf.random.uniform([1, 3])
same(next(iter(signature(z=z, a=a).values())), z - a)
fails(TypeError, lambda: signature(z, a), "")
