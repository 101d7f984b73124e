"""Which framework object is which model of the runtime. Objects are known by identity and kept by nobody here."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping

from neuron_rt import Model

_models: MutableMapping[object, Model] = weakref.WeakKeyDictionary()


def remember(framework_object: object, model: Model) -> None:
    """Note that ``framework_object`` runs as ``model``."""
    _models[framework_object] = model


def model_of(framework_object: object) -> Model | None:
    """The model behind a framework's object, or None."""
    try:
        return _models.get(framework_object)
    except TypeError:  # neither hashable nor weakly referable: nothing an adapter returns
        return None
