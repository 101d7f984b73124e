"""Names for symbols that are given none: ``convolution0``, ``convolution1``."""

from __future__ import annotations

import threading

from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["NameManager", "Prefix"]

__getattr__: Missing = missing_names("mx.name")


class _Shown(type):
    @property
    def current(cls) -> NameManager:
        """This thread's NameManager."""
        return current()

    @current.setter
    def current(cls, manager: NameManager) -> None:
        _current.manager = manager


class NameManager(metaclass=_Shown):
    """Counts names by kind. ``with NameManager():`` counts anew in this thread."""

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}
        self._outer: list[NameManager] = []

    def get(self, name: str | None, hint: str) -> str:
        """``name``, or ``hint`` with the next number."""
        if name:
            return name
        count = self._counter.get(hint, 0)
        self._counter[hint] = count + 1
        return f"{hint}{count}"

    def __enter__(self) -> NameManager:  # noqa: PYI034 - Self is younger than Python 3.10
        self._outer.append(current())
        _current.manager = self
        return self

    def __exit__(self, *_error: object) -> None:
        _current.manager = self._outer.pop()


class Prefix(NameManager):
    """Puts ``prefix`` before all names, the given ones included."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        """``name`` or the next of its kind, with the prefix."""
        return self._prefix + super().get(name, hint)


class _Current(threading.local):
    def __init__(self) -> None:
        self.manager = NameManager()


_current = _Current()


def current() -> NameManager:
    """Return this thread's NameManager."""
    return _current.manager
