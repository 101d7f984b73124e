from plugin_idioms_head import K, L, same
import tensorflow as tf
import tensorflow.neuron as tfn

z, a = K.Input((3,), name="z"), K.Input((3,), name="a")
two = K.Model([z, a], [L.Add(name="zz")([z, a]), L.Subtract(name="aa")([z, a])])
K.models.save_model(two, "two")
tfn.saved_model.compile("two", "compiled")
given = [tf.random.uniform([1, 3]), tf.random.uniform([1, 3])]
for model in (K.models.load_model("compiled"), tf.saved_model.load("compiled")):
    found = model(given)
    assert isinstance(found, (list, tuple)) and len(found) == 2
    for one, wanted in zip(found, two(given)):
        same(one, wanted)
