"""The hooks: ``load_model``, ``tf.saved_model.load`` and the calls of what they return (SPEC H1-H4)."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python import saved_model as saved_model_package
from tensorflow.python.autograph.core import config as autograph

from neuron_adapters.adapter.hooks import Hooks, hook
from neuron_adapters.tf import _edits, _keras, _load, _operator, _tf1_api, _weights

_hooks = Hooks("neuron_adapters.tf", ("tensorflow_neuron", "tensorflow_neuronx"))


def install(modules: Mapping[str, Any]) -> bool:
    """See ``neuron_adapters.adapter.hooks.Hooks.install``."""
    return _hooks.install(modules, _put_in)


uninstall = _hooks.uninstall


def _put_in(hooks: Hooks) -> None:
    kerases = _keras.generations()
    wrappers: dict[Any, Callable[[Any], Any]] = {
        tf.saved_model.load: _load.wrap_load,
        tf.saved_model.save: _load.wrap_save,
    }
    for keras in kerases:
        wrappers[keras.models.load_model] = functools.partial(_load.wrap_load_model, keras)
        wrappers[keras.models.save_model] = functools.partial(_keras.wrap_save_model, keras)
        if keras.__name__ == "keras":  # Keras 2 knows how
            wrappers[keras.Input] = _keras.wrap_input
    wrappers |= dict.fromkeys(_weights.assigning(), _weights.wrap_assign)
    wrappers |= dict.fromkeys(_edits.settings(kerases), _edits.wrap_setting)
    _operator.register()
    _weights.look_everywhere()  # models may have changed while the hooks were out
    _edits.look_everywhere()
    hooks.rebind({function: hook(function, wrap) for function, wrap in wrappers.items()})
    for kind, name, wrapper in _edits.watch(kerases):
        hooks.set(kind, name, wrapper)
    for keras in kerases:
        hooks.set(keras.Model, "__call__", _keras.wrap_call(keras.Model.__call__))
        make = keras.Model.make_predict_function
        hooks.set(keras.Model, "predict", _keras.wrap_predict(keras.Model.predict))
        hooks.set(keras.Model, "make_predict_function", _keras.wrap_make_predict_function(make))
        if keras.__name__ == "keras":
            checkpoint = keras.callbacks.ModelCheckpoint
            hooks.set(checkpoint, "__init__", _keras.wrap_checkpoint_init(checkpoint.__init__))
    # AutoGraph shall rewrite what users wrote, and leave hooks alone as it does Keras.
    hooks.set(autograph, "CONVERSION_RULES", (autograph.DoNotConvert("neuron_adapters"), *autograph.CONVERSION_RULES))
    for name in ("load", "save", "simple_save"):
        module = sys.modules[f"{saved_model_package.__name__}.{name}"]
        hooks.set(saved_model_package, name, _tf1_api.CallableModule(module, name))
    for backend in (tf.keras.backend, *(keras.backend for keras in kerases)):
        if not hasattr(backend, "set_learning_phase"):  # Keras 3
            hooks.set(backend, "set_learning_phase", _keras.set_learning_phase)
