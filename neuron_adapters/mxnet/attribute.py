"""``mx.AttrScope``: attributes for all symbols that are made inside."""

from __future__ import annotations

import collections
import threading
from collections.abc import Mapping
from typing import ClassVar

from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["AttrScope"]

__getattr__: Missing = missing_names("mx.attribute")


class _Shown(type):
    @property
    def current(cls) -> AttrScope:
        """The innermost scope of this thread."""
        return _current.scope

    @current.setter
    def current(cls, scope: AttrScope) -> None:
        _current.scope = scope


class AttrScope(metaclass=_Shown):
    """``with AttrScope(ctx_group="dev1"):`` gives that attribute to every symbol made in this thread meanwhile.

    Scopes add up; the inner one wins. A class derived from this one can decide in ``get`` what a symbol has. Raises
    ValueError for a value that is not a string.
    """

    #: How many graphs inside nodes have each name.
    _subgraph_names: ClassVar[collections.defaultdict[str, int]] = collections.defaultdict(int)

    def __init__(self, **attributes: str) -> None:
        for name, value in attributes.items():
            if not isinstance(value, str):
                raise ValueError(f"an attribute is a string, got {name}={value!r}")
        self._attr = attributes
        self._outer: list[AttrScope] = []

    def get(self, attributes: Mapping[str, str] | None = None) -> dict[str, str]:
        """Merge ``attributes`` into those of the scope; ``attributes`` win."""
        return {**self._attr, **(attributes or {})}

    def __enter__(self) -> AttrScope:  # noqa: PYI034 - Self is younger than Python 3.10
        outer = _current.scope
        self._outer.append(outer)
        self._attr = {**outer._attr, **self._attr}
        _current.scope = self
        return self

    def __exit__(self, *_error: object) -> None:
        _current.scope = self._outer.pop()


class _Current(threading.local):
    def __init__(self) -> None:
        self.scope = AttrScope()


_current = _Current()


def scoped(attributes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Merge ``attributes`` into those of the enclosing scopes; ``attributes`` win."""
    return _current.scope.get(attributes)
