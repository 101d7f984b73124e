"""The two generations of Keras: 3, and 2 (``tf_keras``), which ``tf.keras`` is under TF_USE_LEGACY_KERAS=1."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from neuron_adapters.tf._placed import placed_of, run

#: What files of Keras' own formats end in.
_ENDINGS = (".keras", ".h5", ".hdf5")


def generations() -> list[Any]:
    """The Keras modules whose models can be placed: the one that is ``tf.keras``, and the other where it is loaded."""
    modern = [keras] if keras.config.backend() == "tensorflow" else []
    legacy: Any = sys.modules.get("tf_keras")
    if legacy is None and not issubclass(tf.keras.Model, keras.Model):
        legacy = importlib.import_module("tf_keras")
    return [*modern, legacy] if legacy is not None else modern


def module_of(model_class: type) -> Any:
    """The Keras that a class is from, or None."""
    return next((keras for keras in generations() if issubclass(model_class, keras.Model)), None)


@functools.cache
def trains_around(keras: Any) -> Callable[[], bool]:
    """A function that tells whether a model that is called now, without ``training``, is called for training: by a
    layer that is, or under Keras 2's learning phase. It is true within a scope that replaces variables, too."""
    if keras.__name__ == "keras":
        state = importlib.import_module("keras.src.backend.common.global_state").GLOBAL_STATE_TRACKER

        def trains() -> bool:
            now = state.__dict__  # quicker than asking for an attribute that may be missing
            outer = now.get("current_call_ctx")
            asked = outer is not None and bool(getattr(outer, "training", None))
            return asked or now.get("stateless_scope") is not None

        return trains
    backend = importlib.import_module("tf_keras.src.backend")
    calls = importlib.import_module("tf_keras.src.engine.base_layer_utils")._call_context
    phase = backend._DUMMY_EAGER_GRAPH

    def trains_2() -> bool:
        outer = calls.__dict__.get("call_context")
        asked = outer.training if outer is not None and outer.in_call else None
        return bool(backend.learning_phase() if asked is None and phase.learning_phase_is_set else asked)

    return trains_2


def wrap_call(call: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``Model.__call__``: what is placed runs as it is placed."""

    @functools.wraps(call)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return run(call, self, args, kwargs)

    return __call__


def wrap_make_predict_function(make: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``Model.make_predict_function``: a placed model's steps run separately, so that each calls the model.
    The rest of ``predict`` (batches, callbacks, the progress bar) is Keras' own."""

    @functools.wraps(make)
    def make_predict_function(self: Any, force: bool = False) -> Any:
        if placed_of(self) is None or tf.distribute.has_strategy() or self.distribute_strategy.num_replicas_in_sync > 1:
            return make(self, force)
        if self.predict_function is None or force:
            self.predict_function = functools.partial(_predict, self)
        return self.predict_function

    return make_predict_function


def wrap_predict(predict: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``Model.predict``: arrays without a progress bar or callbacks are cut into batches here. Keras would
    build a pipeline of data for them, at tens of milliseconds a call."""

    @functools.wraps(predict)
    def predict_(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        plain = not args and kwargs.get("verbose") == 0 and not set(kwargs) - {"verbose", "batch_size"}
        ours = plain and placed_of(self) is not None and not tf.distribute.has_strategy()
        rows = _rows(x) if ours else 0
        if rows < 1:
            return predict(self, x, *args, **kwargs)
        size = kwargs.get("batch_size") or 32
        results = []
        for first in range(0, rows, size):
            batch = tf.nest.map_structure(lambda leaf, first=first: _cast(leaf[first : first + size]), x)
            results.append(self.predict_step((batch,)))
        return tf.nest.map_structure(lambda *parts: np.concatenate([part.numpy() for part in parts]), *results)

    return predict_


def wrap_save_model(keras: Any, save_model: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``save_model``: compiled models save themselves. Under Keras 3, a name without an ending of Keras' own
    becomes a SavedModel, and Keras 2's arguments are taken, as when scripts for the plug-in were written. Keras 3 only
    refuses them."""

    def save_model_(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        own_format = type(model).__module__ == "neuron_adapters.tf"
        if own_format:
            return model.save(filepath, *args, **kwargs)
        named = isinstance(filepath, (str, os.PathLike)) and hasattr(model, "export") and hasattr(model, "call")
        if keras.__name__ == "keras" and named:
            path, form = os.fspath(filepath), kwargs.get("save_format")
            own_name = path.endswith(_ENDINGS) or path.startswith("hf://")
            if (form == "tf" or (form is None and not own_name)) and kwargs.get("zipped") is None:
                kwargs.pop("zipped", None)
                return _save_as_saved_model(model, path, *args, **kwargs)
            kwargs = _without_spellings(path, kwargs)
        return save_model(model, filepath, *args, **kwargs)

    return save_model_


def _save_as_saved_model(
    model: Any, path: str, overwrite: bool = True, include_optimizer: bool = True, save_format: Any = None,
    signatures: Any = None, options: Any = None, save_traces: bool = True,
) -> None:  # fmt: skip
    """Keras 2's ``save`` of a directory. A SavedModel for inference has neither optimizer nor traces for training."""
    del include_optimizer, save_format, save_traces
    ask = importlib.import_module("keras.src.utils.io_utils").ask_to_proceed_with_overwrite
    if not overwrite and os.path.exists(path) and not ask(path):
        return
    if signatures is None and options is None:
        model.export(path, verbose=False)
    else:
        tf.saved_model.save(model, path, signatures=signatures, options=options)


def _without_spellings(path: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keras 2's arguments of ``save`` for a file, less those that say what Keras 3 does anyway."""
    form = {".keras": "keras", ".h5": "h5", ".hdf5": "h5"}.get(os.path.splitext(path)[1])
    usual = {"signatures": None, "options": None, "save_traces": True, "save_format": form}
    return {name: value for name, value in kwargs.items() if name not in usual or value != usual[name]}


def wrap_checkpoint_init(init: Callable[..., None]) -> Callable[..., None]:
    """A hook of ``ModelCheckpoint.__init__``: whole models may be saved as SavedModels, as in Keras 2."""

    @functools.wraps(init)
    def __init__(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        path, weights = os.fspath(filepath), args[3] if len(args) > 3 else kwargs.get("save_weights_only")
        if weights or path.endswith(_ENDINGS) or kwargs.get("options") is not None:
            init(self, filepath, *args, **kwargs)
        else:
            kwargs.pop("options", None)
            init(self, path + ".keras", *args, **kwargs)
            self.filepath = path

    return __init__


def wrap_input(make_input: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``keras.Input``: ``Input(3)`` means ``Input((3,))``, as it did when scripts for the plug-in were
    written. Keras 3 only refuses it."""

    def input_(shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        return make_input((shape,) if type(shape) is int else shape, *args, **kwargs)

    return input_


def set_learning_phase(value: Any) -> None:
    """``keras.backend.set_learning_phase(0)``, by which scripts for the plug-in asked for inference. Keras 3 has no
    such call, and infers unless it is told otherwise. Raises ValueError for training."""
    if value not in (0, False):
        raise ValueError(f"Keras 3 has no learning phase, got {value!r}: call the model with training=True instead.")


def _cast(leaf: Any) -> Any:
    """NumPy's floating numbers in the precision of Keras, as ``predict`` has it."""
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind != "f":
        return leaf
    return leaf.astype(tf.keras.backend.floatx(), copy=False)


def _rows(x: Any) -> int:
    """How many rows arrays have that can be sliced as they are, 0 for anything else."""
    leaves = tf.nest.flatten(x)
    if isinstance(x, tuple) or not leaves:
        return 0
    for leaf in leaves:
        if not isinstance(leaf, (np.ndarray, ops.EagerTensor)) or len(leaf.shape) < 1:
            return 0
        if not (isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiub") and leaf.dtype != tf.keras.backend.floatx():
            return 0
    lengths = {leaf.shape[0] for leaf in leaves}
    return lengths.pop() if len(lengths) == 1 else 0


def _predict(model: Any, data: Any) -> Any:
    """Predict steps: Keras 3 hands over a list of batches, Keras 2 an iterator."""
    batches = data if isinstance(data, list) else [next(data)]
    steps = [model.predict_step(batch) for batch in batches]
    if len(steps) == 1:
        return steps[0]
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *steps)
