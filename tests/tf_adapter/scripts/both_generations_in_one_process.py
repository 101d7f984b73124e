import legacy_keras_head
import os
import numpy as np

os.environ["NEURONCORE_GROUP_SIZES"] = "1,1,1"
import keras
import tf_keras
import neuron_adapters.tf
import neuron_adapters

x = np.random.default_rng(0).random((4, 5), dtype="float32")
for kind in (keras, tf_keras, keras):
    net = kind.Sequential([kind.layers.Input((5,)), kind.layers.Dense(3)])
    net.save("m.keras")
    model = kind.models.load_model("m.keras")
    assert isinstance(model, kind.Model)
    np.testing.assert_array_equal(model(x), net(x))
    print(neuron_adapters.placement(model)[0].start_nc)
    globals()["keep_" + str(id(model))] = model
