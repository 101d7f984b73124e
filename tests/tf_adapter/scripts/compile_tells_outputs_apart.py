from plugin_idioms_head import K, L, same
import numpy as np
import tensorflow as tf
import tensorflow.neuron as tfn

source = K.Input((3,), name="given")
relu, linear = L.Activation("relu"), L.Activation("linear")
limited = L.ReLU(max_value=50.0)  # for positive numbers up to 50, what relu is
model = K.Model(source, [limited(source), linear(source), relu(source)])
K.models.save_model(model, "several")
x = tf.constant([[-1.0, 2.0, 400.0]])
name = next(iter(tf.saved_model.load("several").signatures["serving_default"].structured_input_signature[1]))
tfn.saved_model.compile("several", "compiled", model_feed_dict={name: np.ones((1, 3), "f4")})
for loaded in (K.models.load_model("compiled"), tf.saved_model.load("compiled")):
    results = loaded(x)
    assert isinstance(results, (list, tuple)) and len(results) == 3, results
    for result, wanted in zip(results, model(x)):
        same(result, wanted)
before, after = (
    tf.saved_model.load(folder).signatures["serving_default"](**{name: x}) for folder in ("several", "compiled")
)
assert set(before) == set(after)
for key in before:
    same(after[key], before[key])

# The signature takes an image without channels, which the object's own call refuses.
K.models.save_model(K.Sequential([L.Input((28, 28, 1)), L.Flatten(), L.Dense(2)]), "flat")
before = tf.saved_model.load("flat").signatures["serving_default"]
(name,) = before.structured_input_signature[1]
tfn.saved_model.compile("flat", "flat_compiled", model_feed_dict={name: np.ones((1, 28, 28), "f4")})
after = tf.saved_model.load("flat_compiled").signatures["serving_default"]
image = tf.random.uniform([1, 28, 28])
for key, wanted in before(**{name: image}).items():
    same(after(**{name: image})[key], wanted)
