import logging
from plugin_idioms_head import K, net, plain, same, x
import tensorflow as tf
import tensorflow.neuron as tfn

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
tf.get_logger().addHandler(handler)
tf.get_logger().setLevel("WARNING")

net.save("plain.keras")
tfn.trace(net, x).save("traced")
twice = K.Sequential([K.layers.Input(4), K.models.load_model("plain.keras"), K.layers.Lambda(lambda value: 2 * value)])


@tf.function
def served(image):
    total = tf.zeros_like(plain)
    for _ in tf.range(2):  # AutoGraph's work: it goes on
        if tf.reduce_sum(image) > -1e9:
            total += model(image)
    return total


for model in (K.models.load_model("plain.keras"), K.models.load_model("traced"), tf.saved_model.load("traced")):
    same(tf.function(model)(x), plain)
    same(tf.function(lambda image: model(image) + 1)(x), plain + 1)
    same(tf.function(served.python_function)(x), 2 * plain)
same(tf.function(twice)(x), 2 * plain)
assert not [text for text in said if "neuron" in text or "AutoGraph" in text], said
