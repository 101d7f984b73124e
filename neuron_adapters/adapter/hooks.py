"""Hooks as recorded patches, all or nothing: what an adapter changes in its framework, and the way back (SPEC H1).

>>> patches = Patches()
>>> with patches.recording():
...     patches.set(torch.jit, "load", hooked)
>>> patches.revert()
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

_MISSING = object()


def is_foreign(name: str, ours: object) -> bool:
    """Whether somebody else's module of that name is loaded or installed. What neuron-run provides is nobody else's."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded is not ours
    spec = importlib.util.find_spec(name)
    return spec is not None and not hasattr(spec.loader, "neuron_adapters")


class Patches:
    """A list of attribute changes with what was there before."""

    def __init__(self) -> None:
        self.installed = False
        self.lock = threading.RLock()
        self._undo: list[tuple[Any, str, object, object]] = []

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Make all changes of the block or, where it raises, none."""
        with self.lock:
            try:
                yield
            except BaseException:
                self.revert()
                raise
            self.installed = True

    def set(self, owner: Any, name: str, value: object) -> None:
        """Set ``owner.name`` (``owner[name]`` of a dict such as sys.modules)."""
        names = owner if isinstance(owner, dict) else vars(owner)
        self._undo.append((owner, name, names.get(name, _MISSING), value))
        if isinstance(owner, dict):
            owner[name] = value
        else:
            setattr(owner, name, value)

    def rebind(self, replacements: Mapping[Any, Any]) -> None:
        """Replace functions under every name a loaded module has for them, ``from x import y`` of the past included."""
        by_id = {id(original): replacement for original, replacement in replacements.items()}
        ids = frozenset(by_id)
        for module in list(sys.modules.values()):
            # Thousands of modules have a hundred thousand names: those that have none of ours are passed over quickly.
            if isinstance(module, ModuleType) and not ids.isdisjoint(map(id, vars(module).copy().values())):
                for name, value in list(vars(module).items()):
                    if id(value) in by_id:
                        self.set(module, name, by_id[id(value)])

    def provide(self, modules: Mapping[str, Any]) -> None:
        """Make modules importable by these names, parents first: ``torch.neuron`` is also an attribute of torch."""
        for name, module in modules.items():
            self.set(sys.modules, name, module)
            parent, _dot, child = name.rpartition(".")
            if parent and parent not in modules:
                self.set(sys.modules[parent], child, module)

    def revert(self) -> None:
        """Put everything back, last change first. Reverting twice is harmless; what somebody else has since put over
        ours stays theirs."""
        with self.lock:
            while self._undo:
                owner, name, before, ours = self._undo.pop()
                names = owner if isinstance(owner, dict) else vars(owner)
                if names.get(name, _MISSING) is not ours:
                    continue
                if isinstance(owner, dict):
                    if before is _MISSING:
                        del owner[name]
                    else:
                        owner[name] = before
                elif before is _MISSING:
                    delattr(owner, name)
                else:
                    setattr(owner, name, before)
            self.installed = False
