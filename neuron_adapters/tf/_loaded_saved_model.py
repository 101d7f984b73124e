"""Places what ``tf.saved_model.load`` returns: the object stays TensorFlow's own, and its functions run on its NCs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.checkpoint.trackable_view import TrackableView
from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction

from neuron_adapters.tf._placed import Placed, observed, observers


class PlacedFunction:
    """A signature or a function of a placed object: calls run on its NCs, everything else is the function's own."""

    def __init__(self, function: Any, placed: Any) -> None:
        self._function = function
        self._placed = placed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if observers:
            return observed(self._placed, _call, self._function, args, kwargs)
        return self._placed(_call, self._function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._function)

    def __repr__(self) -> str:
        return repr(self._function)


def _call(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


class CompiledSignature:
    """A signature of a compiled object: tensors by name in and out."""

    def __init__(self, placed: Any) -> None:
        self._placed = placed

    def __call__(self, own: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs, outputs = self._placed.executable.artifact.names
        usual = len(args) <= 1 and len(args) + len(kwargs) == len(inputs) and set(kwargs) <= set(inputs)
        if not usual or not tf.executing_eagerly():
            return own(function, *args, **kwargs)  # whose error says what it takes
        positional = iter(args)
        results = self._placed.on_leaves([kwargs[name] if name in kwargs else next(positional) for name in inputs])
        if isinstance(results, dict) and set(results) == set(outputs):
            return results
        return dict(zip(outputs, (result for result in tf.nest.flatten(results) if result is not None)))


def variables(restored: Any) -> list[Any]:
    """The variables of a restored object."""
    return [trackable for trackable in TrackableView(restored).descendants() if isinstance(trackable, tf.Variable)]


def run_on(restored: Any, placed: Any) -> None:
    """Let a restored object be called, and its functions run as ``placed``."""
    compiled = hasattr(placed, "executable")
    held = [] if compiled else variables(restored)

    def own() -> Placed:
        return Placed(placed.model, held, placed.aws_compiled)

    for name, value in list(vars(restored).items()):
        if hasattr(value, "concrete_functions") or isinstance(value, ConcreteFunction):
            only_call = compiled and name == "__call__"
            if only_call or not compiled:
                vars(restored)[name] = PlacedFunction(value, placed if only_call else own())
    # A damaged file may have something else there.
    signatures = getattr(getattr(restored, "signatures", None), "_signatures", {})
    for name, function in list(signatures.items()):
        signatures[name] = PlacedFunction(function, CompiledSignature(placed) if compiled else own())
    # Keras 3 calls the object's own call ``serve``. TensorFlow makes a class for each object that it restores.
    if not callable(restored) and callable(vars(restored).get("serve")):
        type(restored).__call__ = lambda self, *args, **kwargs: self.serve(*args, **kwargs)
