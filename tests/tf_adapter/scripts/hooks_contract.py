import inspect
import sys
import keras
import tensorflow as tf
from tensorflow.keras.models import load_model as bound_before
from keras.saving import load_model as bound_elsewhere
from tensorflow.python.ops import gen_resource_variable_ops as gen

names = [
    (keras.models, "load_model"),
    (keras.models, "save_model"),
    (keras, "Input"),
    (tf.saved_model, "load"),
    (tf.saved_model, "save"),
    (keras.Model, "__call__"),
    (keras.Model, "predict"),
    (keras.Model, "make_predict_function"),
    (gen, "assign_variable_op"),
]
before = [getattr(owner, name) for owner, name in names]
own = set(vars(keras.Model))
import neuron_adapters.tf
import neuron_adapters.tf as again

for (owner, name), old in zip(names, before):
    new = getattr(owner, name)
    assert new is not old, name
    assert inspect.signature(new) == inspect.signature(old), name
    assert (new.__doc__, new.__name__, new.__qualname__, new.__module__) == (
        old.__doc__,
        old.__name__,
        old.__qualname__,
        old.__module__,
    ), name
hooked = keras.models.load_model
assert bound_before is hooked and bound_elsewhere is hooked and tf.keras.models.load_model is hooked
assert again.install() and keras.models.load_model is hooked, "twice counts once"
import tensorflow.neuron as tfn
import tensorflow_neuron
import tensorflow_neuronx
from tensorflow.neuron import trace
from tensorflow.neuron.saved_model import compile  # noqa: A004  # as scripts do

assert tfn is tensorflow_neuron is tensorflow_neuronx is tf.neuron is neuron_adapters.tf
again.uninstall()
again.uninstall()
for (owner, name), old in zip(names, before):
    assert getattr(owner, name) is old, name
assert bound_before is keras.models.load_model
assert set(vars(keras.Model)) == own
assert not hasattr(tf, "neuron")
assert not [name for name in sys.modules if name.startswith(("tensorflow.neuron", "tensorflow_neuron"))]
again.install()
assert keras.models.load_model is hooked and tf.neuron is again
print("kept")
