import legacy_keras_head
import sys
import numpy as np
import tensorflow as tf

import neuron_adapters.tf
import neuron_adapters

tf.keras.utils.set_random_seed(3)
net = tf.keras.Sequential(
    [
        tf.keras.layers.Dense(6, activation="relu", input_shape=(5,)),
        tf.keras.layers.BatchNormalization(),
        tf.keras.layers.Dense(2),
    ]
)
net.compile("sgd", "mse")
rng = np.random.default_rng(3)
x, y = rng.random((64, 5), dtype="float32"), rng.random((64, 2), dtype="float32")
net.fit(x, y, verbose=0)
net.save(sys.argv[1])
model = tf.keras.models.load_model(sys.argv[1])
assert isinstance(model, tf.keras.Model) and type(model).__name__ == "Sequential", type(model)
assert [place.nc_count for place in neuron_adapters.placement(model)] == [1, 1, 1, 1]
calls = lambda: neuron_adapters.describe().models[0].calls
with tf.device("cpu"):
    np.testing.assert_array_equal(model(x), net(x))
before = calls()
np.testing.assert_allclose(model.predict(x, verbose=0), net.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
np.testing.assert_allclose(model.predict(x, batch_size=16), net(x), rtol=1e-5, atol=1e-6)
np.testing.assert_allclose(model.predict_on_batch(x), net(x), rtol=1e-5, atol=1e-6)
assert calls() > before + 4, (before, calls())
assert abs(model.evaluate(x, y, verbose=0) - net.evaluate(x, y, verbose=0)) < 1e-5
assert len(model.layers) == 3 and len(model.get_weights()) == 8
model.fit(x, y, epochs=2, verbose=0)
assert np.abs(model(x) - net(x)).max() > 1e-4
net.set_weights(model.get_weights())
np.testing.assert_array_equal(model(x), net(x))
model.save("again.h5")
np.testing.assert_array_equal(tf.keras.models.load_model("again.h5")(x), net(x))
