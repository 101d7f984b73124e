"""Which framework object is which model of the runtime, and models that take their place at their first call.

Objects are known by identity and held weakly.

What forgets an object is a function of C. A ``WeakKeyDictionary`` forgets in Python, where Ctrl-C may come in between:
Python drops both the exception and the attempt, and the model would keep its NeuronCores for ever.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from neuron_rt import Model

_placing = threading.RLock()  # a signal handler may call a model, too
_models: dict[weakref.ref[object], Model] = {}


def remember(framework_object: object, model: Model) -> None:
    """Note that ``framework_object`` runs as ``model``."""
    _models[weakref.ref(framework_object, _models.pop)] = model


def model_of(framework_object: object) -> Model | None:
    """The model behind a framework's object, or None."""
    try:
        return _models.get(weakref.ref(framework_object))
    except TypeError:  # neither hashable nor weakly referable: nothing an adapter returns
        return None


def place_at_first_call(model: Model, place: Callable[[Model], object]) -> None:
    """Let ``place`` place ``model`` when it is called first: most of what is compiled is saved, and never run here."""

    def place_once(model: Model) -> None:
        with _placing:
            if not model.slots:
                place(model)

    model.place_with(place_once)
