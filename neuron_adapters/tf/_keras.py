"""The two generations of Keras: 3, and 2 (``tf_keras``), which ``tf.keras`` is under TF_USE_LEGACY_KERAS=1."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from neuron_adapters.tf._placed import placed_of, run


def generations() -> list[Any]:
    """The Keras modules whose models can be placed: the one that is ``tf.keras``, and the other where it is loaded."""
    import keras

    found = [keras] if keras.config.backend() == "tensorflow" else []
    legacy: Any = sys.modules.get("tf_keras")
    if legacy is None and not issubclass(tf.keras.Model, keras.Model):
        legacy = importlib.import_module("tf_keras")
    return [*found, legacy] if legacy is not None else found


def module_of(model_class: type) -> Any:
    """The Keras that a class is from, or None."""
    return next((keras for keras in generations() if issubclass(model_class, keras.Model)), None)


def called(call: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``Model.__call__``: what is placed runs as it is placed."""

    @functools.wraps(call)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return run(call, self, args, kwargs)

    return __call__


def predicting(make: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of ``Model.make_predict_function``: a placed model's steps run one by one, so that each calls the model.
    All the rest of ``predict`` (batches, callbacks, the progress bar) is Keras' own."""

    @functools.wraps(make)
    def make_predict_function(self: Any, force: bool = False) -> Any:
        if placed_of(self) is None or tf.distribute.has_strategy() or self.distribute_strategy.num_replicas_in_sync > 1:
            return make(self, force)
        if self.predict_function is None or force:
            self.predict_function = functools.partial(_predict, self)
        return self.predict_function

    return make_predict_function


def _predict(model: Any, data: Any) -> Any:
    """Predict steps: Keras 3 hands over a list of batches, Keras 2 an iterator."""
    batches = data if isinstance(data, list) else [next(data)]
    steps = [model.predict_step(batch) for batch in batches]
    if len(steps) == 1:
        return steps[0]
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *steps)
