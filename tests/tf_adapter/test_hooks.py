"""SPEC H: the hooks by contract, in processes of their own, over orders of import, install and remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., str]

CONTRACT = """
import inspect, sys, keras, tensorflow as tf
from tensorflow.keras.models import load_model as bound_before
from keras.saving import load_model as bound_elsewhere
from tensorflow.python.ops import gen_resource_variable_ops as gen
names = [(keras.models, "load_model"), (keras.models, "save_model"), (keras, "Input"), (tf.saved_model, "load"),
         (tf.saved_model, "save"), (keras.Model, "__call__"), (keras.Model, "predict"),
         (keras.Model, "make_predict_function"), (gen, "assign_variable_op")]
before = [getattr(owner, name) for owner, name in names]
own = {name for name in vars(keras.Model)}
import neuron_adapters.tf
import neuron_adapters.tf as again
for (owner, name), old in zip(names, before):
    new = getattr(owner, name)
    assert new is not old, name
    assert inspect.signature(new) == inspect.signature(old), name
    assert (new.__doc__, new.__name__, new.__qualname__, new.__module__) == (
        old.__doc__, old.__name__, old.__qualname__, old.__module__), name
hooked = keras.models.load_model
assert bound_before is hooked and bound_elsewhere is hooked and tf.keras.models.load_model is hooked
assert again.install() and keras.models.load_model is hooked, "twice counts once"
import tensorflow.neuron as tfn, tensorflow_neuron, tensorflow_neuronx
from tensorflow.neuron import trace
from tensorflow.neuron.saved_model import compile
assert tfn is tensorflow_neuron is tensorflow_neuronx is tf.neuron is neuron_adapters.tf
again.uninstall()
again.uninstall()
for (owner, name), old in zip(names, before):
    assert getattr(owner, name) is old, name
assert bound_before is keras.models.load_model
assert {name for name in vars(keras.Model)} == own
assert not hasattr(tf, "neuron")
assert not [name for name in sys.modules if name.startswith(("tensorflow.neuron", "tensorflow_neuron"))]
again.install()
assert keras.models.load_model is hooked and tf.neuron is again
print("kept")
"""


def test_contract(script: Script) -> None:
    """SPEC H1, H2: signatures, docstrings, once, and all the way back."""
    assert script(CONTRACT) == "kept\n"


@pytest.mark.parametrize("first", ["tensorflow", "keras", "neuron_adapters.tf", "neuron_rt"])
def test_any_order_of_imports(script: Script, models: Path, first: str) -> None:
    """SPEC H1, C1: and variables that are set between import and load count."""
    snippet = f"""
import {first}
import neuron_adapters.tf, tensorflow as tf, neuron_adapters, os
os.environ["NEURON_RT_NUM_CORES"] = "3"
model = tf.keras.models.load_model("plain.keras")
print(len(neuron_adapters.describe().instance_ncs), tf.keras.models.load_model.__name__, type(model).__name__)
"""
    assert script(snippet, folder=models) == "3 load_model Sequential\n"


def test_it_imports_no_other_framework(script: Script) -> None:
    """SPEC H3."""
    snippet = """
import sys, neuron_adapters.tf
print([name for name in ("torch", "mxnet", "openvino") if name in sys.modules])
"""
    assert script(snippet) == "[]\n"


def test_without_tensorflow(script: Script) -> None:
    """SPEC H3: one ImportError that names the extra; the package itself works without."""
    snippet = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
sys.meta_path.insert(0, Missing())
import neuron_adapters
try:
    import neuron_adapters.tf
except ImportError as error:
    print(error)
print(neuron_adapters.describe())
"""
    said = script(snippet).splitlines()
    assert "pip install 'neuron-adapters[tf]'" in said[0]
    assert "has not started" in said[1]


@pytest.mark.parametrize("plugin", ["tensorflow_neuron", "tensorflow_neuronx"])
def test_the_real_plugin_has_precedence(script: Script, tmp_path: Path, plugin: str) -> None:
    """SPEC H4: the adapter steps aside and says so."""
    (tmp_path / f"{plugin}.py").write_text("trace = 'the real one'\n")
    snippet = f"""
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import keras
load = keras.models.load_model
import neuron_adapters.tf, {plugin}
assert keras.models.load_model is load and not neuron_adapters.tf.install()
print({plugin}.trace)
"""
    said = script(snippet, folder=tmp_path).splitlines()
    assert said[0] == f"{plugin} is installed here: neuron_adapters.tf steps aside and hooks nothing"
    assert said[-1] == "the real one"


def test_what_is_not_placed_is_untouched(script: Script) -> None:
    """SPEC H2: a model that nobody loaded runs as ever, and takes no NeuronCores."""
    snippet = """
import keras, numpy as np, neuron_adapters.tf, neuron_adapters, neuron_rt
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
assert model(np.ones((1, 3), "f4")).shape == (1, 2) and model.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)
model.compile("sgd", "mse")
model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
assert neuron_adapters.placement(model) == () and neuron_rt.current() is None
try:
    keras.models.load_model("missing.keras")
except ValueError as error:
    print(str(error)[:14])
try:
    model.save("model.xyz")
except ValueError as error:
    print(str(error)[:26])
"""
    assert script(snippet, imported=True) == "File not found\nInvalid filepath extension\n"


def test_one_process_two_frameworks(script: Script, models: Path) -> None:
    """SPEC R3, P1: PyTorch and Keras share one runtime; the next free NCs go on where the other stopped."""
    snippet = """
import os
os.environ["NEURON_RT_NUM_CORES"] = "13"
warnings.filterwarnings("ignore", r"`torch.jit.*", DeprecationWarning)
import tensorflow as tf, torch, neuron_adapters.tf, neuron_adapters.torch, neuron_adapters
net = torch.nn.Linear(4, 2).eval()
for cores in (3, 4):
    flags = ["--neuroncore-pipeline-cores", str(cores)]
    torch.neuron.trace(net, torch.ones(1, 4), compiler_args=flags).save(f"t{cores}.pt")
kept = [tf.keras.models.load_model("k2"), torch.jit.load("t4.pt"),
        tf.keras.models.load_model("k3"), torch.jit.load("t4.pt")]
print(*(one for model in kept for one in neuron_adapters.placement(model)))
print(*(model.kind for model in neuron_adapters.describe().models))
"""
    said = script(snippet, folder=models, imported=True)
    assert said == "NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12\ntf torch tf torch\n"
