"""``mx.registry``: classes that are made by their names."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.base import MXNetError

__all__ = ["get_alias_func", "get_create_func", "get_register_func", "get_registry"]

_REGISTRY: dict[type, dict[str, type]] = {}


def get_registry(base_class: type) -> dict[str, type]:
    """Return a copy of the classes of a kind, by name."""
    return dict(_REGISTRY.setdefault(base_class, {}))


def get_register_func(base_class: type, nickname: str) -> Callable[..., type]:
    """Return the function that adds a class of this kind, by its own name or another, in small letters."""
    registry = _REGISTRY.setdefault(base_class, {})

    def register(klass: type, name: str | None = None) -> type:
        if not issubclass(klass, base_class):
            raise MXNetError(f"Can only register subclass of {base_class.__name__}, got {klass!r}.")
        key = (name or klass.__name__).lower()
        if registry.get(key, klass) is not klass:
            warnings.warn(f"New {nickname} {klass} registered with name {key} overrides {registry[key]}.", stacklevel=2)
        registry[key] = klass
        return klass

    return register


def get_alias_func(base_class: type, nickname: str) -> Callable[..., Callable[[type], type]]:
    """Return the decorator that adds a class under several names."""
    register = get_register_func(base_class, nickname)

    def alias(*aliases: str) -> Callable[[type], type]:
        def add(klass: type) -> type:
            for name in aliases:
                register(klass, name)
            return klass

        return add

    return alias


def get_create_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """Return the function that makes an object: of a name, of JSON, of a dict, or the object itself."""
    registry = _REGISTRY.setdefault(base_class, {})

    def create(*args: Any, **kwargs: Any) -> Any:
        name, *rest = args or (kwargs.pop(nickname),)
        if isinstance(name, base_class):
            return name
        if isinstance(name, dict):
            return create(**name)
        if isinstance(name, str) and name[:1] in "[{":
            loaded = json.loads(name)
            return create(**loaded) if isinstance(loaded, dict) else create(loaded[0], **loaded[1])
        if str(name).lower() not in registry:
            raise MXNetError(f"{name} is not registered. Please register with {nickname}.register first.")
        return registry[str(name).lower()](*rest, **kwargs)

    return create
