"""What must be undone is undone by an object that dies, so that no exception can come in between (SPEC X4).

Ctrl-C, or a time limit's signal handler, raises between any two bytecodes: on the way into a ``try`` block, inside a
``finally``, before the end of a ``with`` block. What no exception can interrupt is the interpreter's own work. A C
function runs to its end; and what lies on the evaluation stack of a Python function is dropped when the function ends,
however it ends. So everything that execution and ownership take, they take in one shape::

    return (taken, compute())[1]

``taken`` is an ``Undo``, or holds some. It lies on the stack while ``compute()`` runs, and gives back what was
taken when it is dropped. It never goes into a local variable: a traceback keeps variables alive, and what they hold.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import compress, repeat
from typing import Any


class Undo(partial[Any]):
    """Calls its function when it is dropped, in C and so without a gap: ``Undo(os.close, fd)``.

    The function must be one of C, so that it runs to its end, and must not raise.
    """

    __slots__ = ()
    __del__: Callable[..., Any] = partial.__call__

    def cancel(self) -> None:
        """Undo nothing: in a forked child it is the parent's to undo."""
        self.__setstate__((int, (), {}, None))  # type: ignore[attr-defined] # partial's own


def undoing(function: Callable[[], object]) -> type:
    """A class whose instances call ``function`` when they are dropped. Each costs half of an ``Undo``, and the
    class as much as a hundred of those: for what is undone again and again."""
    return type("Undoing", (), {"__slots__": (), "__del__": staticmethod(function)})


def guarded(undo: Callable[[Any], object], make: Callable[[], Any]) -> Undo:
    """Call ``make``, a function of C, and return what undoes that: ``Undo(undo, make())``."""
    return next(map(Undo, (undo,), iter(make, Undo)))


def opened(path: str | os.PathLike[str], flags: int, mode: int = 0o600, *, dir_fd: int | None = None) -> Undo:
    """Open a file, as ``os.open`` does, and return what closes it when it is dropped: ``Undo(os.close, fd)``."""
    return guarded(os.close, partial(os.open, path, flags, mode, dir_fd=dir_fd))


def taken(lock: threading.Lock | threading.RLock, *how: bool | float) -> Iterator[Undo]:
    """Take ``lock`` (``how``: arguments of its ``acquire``) each time the iterator is asked; what comes gives it back
    when it is dropped. The iterator ends for good where the lock cannot be taken."""
    acquire: Callable[..., bool] = lock.acquire
    return map(Undo, compress(repeat(lock.release), iter(partial(acquire, *how), False)))  # noqa: FBT003 - the sentinel


def dropped(stacks: list[list[Any]]) -> Undo:
    """What empties, when it is dropped, all lists that are in ``stacks`` then, each from its end."""
    return Undo(deque, map(list.clear, stacks), 0)


class Mutex:
    """A lock that its thread may take again, since a signal handler may run inside.

    >>> return (mutex.hold(), compute())[1]
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def hold(self) -> object:
        """Take it; what is returned gives it back when it is dropped. While the interpreter shuts down it is not
        taken: a thread that holds it will never run again."""
        return None if sys.is_finalizing() else next(taken(self._lock))
