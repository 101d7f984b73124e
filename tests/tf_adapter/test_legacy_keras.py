"""Scripts of the plug-in's time: Keras 2, which ``tf.keras`` is under TF_USE_LEGACY_KERAS=1 with tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., str]

HEAD = """
warnings.filterwarnings('ignore', category=DeprecationWarning)
warnings.filterwarnings('ignore', 'You are saving your model as an HDF5')
import os, gc
import numpy as np
import tensorflow as tf
"""


@pytest.fixture
def legacy(script: Script) -> Script:
    """Run a snippet under Keras 2, which has been imported."""
    return lambda snippet, **given: script(HEAD + snippet, **{"imported": True, "TF_USE_LEGACY_KERAS": "1", **given})


def test_the_seed_script(legacy: Script) -> None:
    """P8: four models compiled for 2, 4, 3 and 4 NCs, saved and loaded as the guide has it, on 13 NCs."""
    out = legacy(
        """
os.environ['NEURON_RT_NUM_CORES'] = '13'
import neuron_adapters.tf
import tensorflow.neuron as tfn
import neuron_adapters
assert tf.keras.Model.__module__.startswith('tf_keras'), tf.keras.Model
x = tf.random.uniform([1, 8, 8, 3])
models, plain = [], []
for name, cores in zip('ABCD', (2, 4, 3, 4)):
    i = tf.keras.layers.Input((8, 8, 3))
    o = tf.keras.layers.Dense(4)(tf.keras.layers.Flatten()(tf.keras.layers.Conv2D(4, 3, activation='relu')(i)))
    net = tf.keras.Model(i, o)
    os.environ['NEURON_CC_FLAGS'] = f'--neuroncore-pipeline-cores={cores}'
    tfn.trace(net, x).save(f'./model_{name}')
    plain.append(net)
    models.append(tf.keras.models.load_model(f'model_{name}'))
for net, model in zip(plain, models):
    assert isinstance(model, tf.keras.Model)
    np.testing.assert_allclose(model(x), net(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.predict(x, verbose=0), net(x), rtol=1e-3, atol=1e-4)
    print([(one.start_nc, one.nc_count) for one in neuron_adapters.placement(model)])
""",
        imported=False,
    )
    assert out.split("\n")[:4] == ["[(0, 2)]", "[(2, 4)]", "[(6, 3)]", "[(9, 4)]"]


@pytest.mark.parametrize("name", ["saved_model_directory", "model.h5", "model.keras"])
def test_formats_of_keras_2(legacy: Script, name: str) -> None:
    """K2: each of its own formats comes back as its own model, placed, with its own numbers, and learns."""
    legacy(
        f"NAME = {name!r}"
        """
import neuron_adapters.tf, neuron_adapters
tf.keras.utils.set_random_seed(3)
net = tf.keras.Sequential([tf.keras.layers.Dense(6, activation='relu', input_shape=(5,)),
                           tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(2)])
net.compile('sgd', 'mse')
x, y = np.random.rand(64, 5).astype('float32'), np.random.rand(64, 2).astype('float32')
net.fit(x, y, verbose=0)
net.save(NAME)
model = tf.keras.models.load_model(NAME)
assert isinstance(model, tf.keras.Model) and type(model).__name__ == 'Sequential', type(model)
assert [one.nc_count for one in neuron_adapters.placement(model)] == [1, 1, 1, 1]
calls = lambda: neuron_adapters.describe().models[0].calls
with tf.device('cpu'):
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
model.save('again.h5')
np.testing.assert_array_equal(tf.keras.models.load_model('again.h5')(x), net(x))
"""
    )


def test_unnamed_and_bare_sizes(legacy: Script) -> None:
    """Input(3), lists of inputs and outputs: what the plug-in's users wrote."""
    legacy(
        """
import neuron_adapters.tf
import tensorflow.neuron as tfn
inputs = [tf.keras.layers.Input(3) for _ in range(3)]
dense = [tf.keras.layers.Dense(3)(one) for one in inputs]
added = tf.keras.layers.Add()(dense[:2])
net = tf.keras.Model(inputs, [tf.keras.layers.Activation('sigmoid')(added), added, dense[2]])
x = [tf.random.uniform([1, 3]) for _ in range(3)]
model = tfn.trace(net, x)
assert 'NeuronOp' in {op.type for op in model.aws_neuron_function.graph.get_operations()}
model.save('m')
again = tf.keras.models.load_model('m')
for one, two in zip(again(x), net(x)):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
assert again.on_neuron_ratio == 1.0
many = tfn.auto_multicore(again, x, num_cores=2)
for one, two in zip(many(x), net(x)):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
"""
    )


def test_both_generations_in_one_process(script: Script) -> None:
    """A program that uses tf_keras beside Keras 3: the models of both are placed, one after the other."""
    out = script(
        HEAD
        + """
os.environ['NEURONCORE_GROUP_SIZES'] = '1,1,1'
import keras, tf_keras
import neuron_adapters.tf, neuron_adapters
x = np.random.rand(4, 5).astype('float32')
for kind in (keras, tf_keras, keras):
    net = kind.Sequential([kind.layers.Input((5,)), kind.layers.Dense(3)])
    net.save('m.keras')
    model = kind.models.load_model('m.keras')
    assert isinstance(model, kind.Model)
    np.testing.assert_array_equal(model(x), net(x))
    print(neuron_adapters.placement(model)[0].start_nc)
    globals()['keep_' + str(id(model))] = model
""",
        imported=True,
    )
    assert out.split() == ["0", "1", "2"]


def test_uninstall(legacy: Script) -> None:
    """H1: everything is put back."""
    legacy(
        """
import tf_keras
names = ('__call__', 'predict', 'make_predict_function')
before = [vars(tf_keras.Model)[name] for name in names if name in vars(tf_keras.Model)], tf_keras.models.load_model
import neuron_adapters.tf
assert tf_keras.models.load_model is not before[1]
neuron_adapters.tf.uninstall()
after = [vars(tf_keras.Model)[name] for name in names if name in vars(tf_keras.Model)], tf_keras.models.load_model
assert before[1] is after[1] and all(one is two for one, two in zip(before[0], after[0]))
""",
        imported=False,
    )
