from plugin_idioms_head import K, L, same
import tensorflow as tf
import tensorflow.neuron as tfn

z, a = K.Input((3,), name="z"), K.Input((3,), name="a")
two = K.Model([z, a], [L.Add(name="zz")([z, a]), L.Subtract(name="aa")([z, a])])
K.models.save_model(two, "two")
tfn.saved_model.compile("two", "compiled")
example = [tf.random.uniform([1, 3]), tf.random.uniform([1, 3])]
for model in (K.models.load_model("compiled"), tf.saved_model.load("compiled")):
    results = model(example)
    assert isinstance(results, (list, tuple)) and len(results) == 2
    for result, wanted in zip(results, two(example)):
        same(result, wanted)
