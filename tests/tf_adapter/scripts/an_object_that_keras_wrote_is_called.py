from plugin_idioms_head import K, L, net, plain, same, x
import tensorflow as tf
import neuron_adapters.tf

net.save("one")
same(tf.saved_model.load("one")(x), plain)
inputs = [L.Input((3,)) for _ in range(2)]
two = K.Model(inputs, L.Add()([L.Dense(2)(tensor) for tensor in inputs]))
two.save("two")
example = [tf.random.uniform([2, 3]) for _ in inputs]
restored = tf.saved_model.load("two")
same(restored(example), two(example))
assert neuron_adapters.placement(restored)
tf.saved_model.save(tf.Module(), "none")
assert not callable(tf.saved_model.load("none"))
