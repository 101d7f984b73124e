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
        """A scope with the attributes that are this thread's."""
        return AttrScope(**_current.attributes)


class AttrScope(metaclass=_Shown):
    """``with AttrScope(ctx_group="dev1"):`` gives that attribute to every symbol made in this thread meanwhile.

    Scopes add up; the inner one wins. Raises ValueError for a value that is not a string.
    """

    #: How many graphs inside nodes have each name.
    _subgraph_names: ClassVar[collections.defaultdict[str, int]] = collections.defaultdict(int)

    def __init__(self, **attributes: str) -> None:
        for name, value in attributes.items():
            if not isinstance(value, str):
                raise ValueError(f"an attribute is a string, got {name}={value!r}")
        self._attributes = attributes
        self._outer: list[Mapping[str, str]] = []

    def get(self, attributes: Mapping[str, str] | None = None) -> dict[str, str]:
        """Merge ``attributes`` into those of the scope; ``attributes`` win."""
        return {**self._attributes, **(attributes or {})}

    def __enter__(self) -> AttrScope:  # noqa: PYI034 - Self is younger than Python 3.10
        self._outer.append(_current.attributes)
        _current.attributes = {**_current.attributes, **self._attributes}
        return self

    def __exit__(self, *_error: object) -> None:
        _current.attributes = self._outer.pop()


class _Current(threading.local):
    attributes: Mapping[str, str] = {}


_current = _Current()


def scoped(attributes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Merge ``attributes`` into those of the enclosing scopes; ``attributes`` win."""
    return {**_current.attributes, **(attributes or {})}
