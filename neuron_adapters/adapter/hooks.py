"""The hooks of an adapter: put in once, all or nothing, and taken out again (SPEC H1-H4).

>>> hooks = Hooks("neuron_adapters.torch", ("torch_neuron",))
>>> load = torch.jit.load
>>> hooks.install({"torch_neuron": module}, lambda hooks: hooks.rebind({load: hook(load, wrap_load)}))
>>> hooks.uninstall()
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

from neuron_adapters.adapter import hosts

log = logging.getLogger("neuron_adapters")

F = TypeVar("F", bound=Callable[..., Any])

_MISSING = object()
_hooks: dict[Any, Any] = {}
"""The hook of each function of a framework."""
_originals: dict[Any, Any] = {}
"""The function behind each hook."""


def hook(function: F, wrap: Callable[[F], Any]) -> Any:
    """The hook of ``function``, which ``wrap`` makes: it looks like the function, and is the same one each time. The
    hook of a hook is that hook."""
    if function in _originals:
        return function
    if function not in _hooks:
        wrapper = _hooks[function] = functools.update_wrapper(wrap(function), function)
        _originals[wrapper] = function
    return _hooks[function]


def original(function: F) -> F:
    """The framework's own function behind a hook; ``function`` itself where it is none."""
    while function in _originals:
        function = _originals[function]
    return function


def is_foreign(name: str, ours: object) -> bool:
    """Whether another package's module of that name is loaded or installed. Those of neuron-run are ours, and a folder
    of that name without ``__init__.py`` is no package of a plug-in's."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded is not ours
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.loader is not None and not hasattr(spec.loader, "neuron_adapters")


class Patches:
    """A list of attribute changes with what was there before."""

    def __init__(self) -> None:
        self.installed: bool = False
        self.lock: threading.RLock = threading.RLock()
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
        """Undo all changes, last first. Reverting twice is harmless; a change that others made on top of ours stays."""
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


class Hooks(Patches):
    """The hooks of one adapter."""

    def __init__(self, adapter: str, plugins: tuple[str, ...]) -> None:
        """``adapter``: its name in messages. ``plugins``: import names of AWS's own plug-in for that framework."""
        super().__init__()
        self._adapter = adapter
        self._plugins = plugins

    def install(self, modules: Mapping[str, Any], put_in: Callable[[Hooks], None], *, aside: bool = False) -> bool:
        """Put the hooks in, once however often it is asked (SPEC H1). ``modules``: import names to provide, parents
        first. ``put_in``: makes the patches.

        False where the real plug-in is installed, or ``aside`` says so: the adapter steps aside then (SPEC H4).
        """
        for host in hosts():  # a worker of Ray has its NeuronCores from Ray, and for a while
            host.attach()
        if self.installed:
            return True
        real = [name for name in self._plugins if is_foreign(name, modules.get(name))]
        if real or aside:
            names = " and ".join(real or self._plugins)
            log.warning("%s is installed here: %s steps aside and hooks nothing", names, self._adapter)
            return False
        with self.recording():
            put_in(self)
            self.provide(modules)
        return True

    def uninstall(self) -> None:
        """Put everything back. Models that are placed stay placed (SPEC H1)."""
        self.revert()
