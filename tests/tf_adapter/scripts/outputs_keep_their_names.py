from plugin_idioms_head import K, L, same
import tensorflow as tf
import tensorflow.neuron as tfn

for dtype in ("float32", "int32"):
    base, left, right = (L.Input((3,), dtype=dtype) for _ in range(3))
    adds = [L.Add(), L.Add()]
    K.Model([base, left, right], [adds[0]([base, right]), adds[1]([base, left])]).save("file")
    before = tf.saved_model.load("file").signatures["serving_default"]
    specs = before.structured_input_signature[1]
    tfn.saved_model.compile("file", "compiled")
    after = tf.saved_model.load("compiled").signatures["serving_default"]
    feed = {name: tf.fill([1, 3], tf.cast(10**place, dtype)) for place, name in enumerate(specs)}
    wanted, got = before(**feed), after(**feed)
    assert set(wanted) == set(got)
    for name in wanted:
        same(got[name], wanted[name])
