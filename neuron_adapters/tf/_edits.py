"""Notices that a placed Keras model was edited, so that its next call is that of the edited model.

A graph is the model as it was when it was traced. ``_reads`` finds what the model's call reads. Setting and deleting
attributes is hooked; the few things that no hook tells of are compared at each call.
"""

from __future__ import annotations

import functools
import operator
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from neuron_adapters.tf import _reads
from neuron_adapters.tf._reads import Unknown, Walk, is_read, items_of

#: Classes whose attributes count; not every generation of Keras has each.
_HOLDERS = (
    "layers.Layer", "layers.InputSpec", "Operation", "Variable", "mixed_precision.Policy", "quantizers.Quantizer",
)  # fmt: skip
_MISSING = object()
_listeners: dict[int, weakref.WeakSet[Edits]] = {}
_guard = threading.RLock()


def watch(kerases: Iterable[Any]) -> Iterator[tuple[type, str, Callable[..., Any]]]:
    """The hooks of what sets and deletes attributes in layers, and in what layers hold: class, name and hook."""
    for keras in kerases:
        classes = {kind for name in _HOLDERS if (kind := _find(keras, name)) is not None}
        _reads.watched.update(classes)
        for kind in classes:
            yield kind, "__setattr__", _wrap_setattr(kind)
            yield kind, "__delattr__", _wrap_delattr(kind)


def settings(kerases: Iterable[Any]) -> Iterator[Callable[..., Any]]:
    """The functions that set what layers read of the process."""
    for keras in kerases:
        for name in ("set_epsilon", "set_floatx", "set_image_data_format"):
            yield getattr(keras.backend, name)


def wrap_setting(change: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of such a function: all models look at themselves anew."""

    def set_(value: Any) -> Any:
        try:
            return change(value)
        finally:
            look_everywhere()

    return set_


def _find(keras: Any, name: str) -> Any:
    """What Keras has under a dotted name, or None."""
    return functools.reduce(lambda owner, part: getattr(owner, part, None), name.split("."), keras)


def _wrap_setattr(kind: type) -> Callable[..., None]:
    own = vars(kind).get("__setattr__") or _next(kind, "__setattr__")

    @functools.wraps(own)
    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        edits = _listeners.get(id(self))
        if edits is None or not is_read(name) or vars(self).get(name, _MISSING) is value:
            own(self, name, value)
        else:
            _change(edits, own, self, name, value)

    return __setattr__


def _wrap_delattr(kind: type) -> Callable[..., None]:
    own = vars(kind).get("__delattr__") or _next(kind, "__delattr__")

    @functools.wraps(own)
    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        edits = _listeners.get(id(self))
        if edits is None or not is_read(name):
            own(self, name)
        else:
            _change(edits, own, self, name)

    return __delattr__


def _next(kind: type, name: str) -> Callable[..., Any]:
    """The method after ``kind``'s own, which it has not."""

    def method(self: Any, *arguments: Any) -> Any:
        return getattr(super(kind, self), name)(*arguments)

    return functools.update_wrapper(method, getattr(object, name))


def _change(edits: Iterable[Edits], change: Callable[..., None], *arguments: Any) -> None:
    _tell(edits)  # before and after: an exception may come in between
    try:
        change(*arguments)
    finally:
        _tell(edits)


def _tell(listeners: Iterable[Edits]) -> None:
    for edits in tuple(listeners):
        edits.touched = True


def look_everywhere() -> None:
    """Let every model look at itself anew before its next call."""
    with _guard:
        for listeners in _listeners.values():
            _tell(listeners)


class Edits:
    """What a call of one model depends on besides its inputs and weights."""

    def __init__(self, trains_around: Callable[[], bool]) -> None:
        """``trains_around``: of ``_keras``."""
        self.trains_around = trains_around
        self.touched = True
        """Whether an attribute was set since the last look."""
        self.unknown = ""
        """Why the model's own call has to run each time; empty where a graph can stand for it."""
        self._ids: set[int] = set()
        # Until the first look; ``touched`` sees to that.
        self._classes: tuple[type, ...] = ()
        self._names: tuple[str, ...] = ()
        self._methods: tuple[Any, ...] = ()
        self._contents = False

    def seen(self) -> bool:
        """Whether all is as it was at the last look."""
        return (
            not self.touched
            and tuple(map(getattr, self._classes, self._names)) == self._methods
            and not (self._contents and self._changed())
        )

    def look(self, model: Any) -> None:
        """Look at the whole model. What is edited from now on shows in ``seen``."""
        self.touched = False
        if self.unknown:  # it may change itself at each call, so it is not looked at again
            return
        walk = Walk()
        try:
            walk.through(model)
        except Unknown as unknown:
            self.unknown = str(unknown)
            walk = Walk()
        self._note(walk)
        with _guard:
            for number in walk.ids - self._ids:
                _listeners.setdefault(number, weakref.WeakSet()).add(self)
        self._ids |= walk.ids

    def _note(self, walk: Walk) -> None:
        """Note what no hook tells of: methods of classes, contents of containers and arrays."""
        self._classes = tuple(owner for owner, _name in walk.methods)
        self._names = tuple(name for _owner, name in walk.methods)
        self._methods = tuple(walk.methods.values())
        self._containers, self._arrays = walk.containers, walk.arrays
        self._lengths, self._items = list(map(len, self._containers)), list(items_of(self._containers))
        self._bytes = list(map(bytes, self._arrays))
        self._contents = bool(self._containers or self._arrays)

    def _changed(self) -> bool:
        return (
            list(map(len, self._containers)) != self._lengths
            or not all(map(operator.is_, items_of(self._containers), self._items))
            or list(map(bytes, self._arrays)) != self._bytes
        )

    def __del__(self) -> None:
        for number in self._ids:
            listeners = _listeners.get(number)
            if listeners is not None and not any(listener is not self for listener in list(listeners)):
                _listeners.pop(number, None)
