"""The NeuronCores of a process as locks, and the queue before them (SPEC P5, X4).

An NC is a re-entrant lock: a call inside a call, such as a signal handler's, waits for no NC that its thread holds. A
call takes all of its NCs at once or none, and one inside another lends the outer call's NCs to others while it must
wait for its own, so calls never hold some while they wait for others.

The queue is a chain. Each waiter waits until those that stood last at its NCs when it came have left, and opens a gate
when it leaves. So a waiter that leaves wakes only those directly behind it. If it gives up, they wait for what it
waited for. The first in the queue waits for the NCs' own locks, so giving NCs back does not involve the queue.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress, repeat, starmap
from operator import itemgetter

from neuron_rt.errors import ModelNotLoadedError
from neuron_rt.undo import Mutex, Undo, guarded, taken, undoing

#: In the queues of a closed runtime, so that every call checks ``closed``. Never the number of a thread.
_CLOSED = -1
_TAKEN = itemgetter(1)
"""Of what ``_lend`` returns: the lease of what was waited for."""


class Core:
    """One NC. What its iterators return is a lease: the NC is taken until the lease is dropped."""

    __slots__ = ("_lease", "free", "inside", "lock", "queue")

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.inside: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001 - as in Condition
        """Whether the calling thread has it."""
        self.queue: set[int] = set()
        """Threads that wait for it: a call on an NC for which no thread waits skips the queue."""
        self._lease = undoing(self.lock.release)
        self.free: Iterator[object] = self.taking(False)  # noqa: FBT003 - acquire's own switch
        """Each ``next()`` takes the NC at once. It ends for good when the NC is taken already."""

    def taking(self, *how: bool | float) -> Iterator[object]:
        """Each ``next()`` takes the NC, in C. ``how``: arguments of a lock's ``acquire``; it ends for good when that
        fails."""
        acquire: Callable[..., bool] = self.lock.acquire
        return starmap(self._lease, compress(repeat(()), iter(partial(acquire, *how), False)))  # noqa: FBT003 - the sentinel


class CoreLocks:
    """The NCs of a process, and who waits for them."""

    def __init__(self, count: int) -> None:
        self.cores: tuple[Core, ...] = tuple(Core() for _ in range(count))
        self.resident: list[object] = [None] * count
        """The model that ran last on each NC."""
        self.waiters: set[int] = set()
        """All threads that wait."""
        self.closed: str = ""
        """Why no model runs here any more."""
        self._last: list[_Waiter | None] = [None] * count
        self._joining = Mutex()

    @property
    def locks(self) -> tuple[threading.RLock, ...]:
        """The NCs' own locks."""
        return tuple(core.lock for core in self.cores)

    def close(self, why: str) -> None:
        """Turn away every call from now on."""
        deque(map(set.add, [core.queue for core in self.cores], repeat(_CLOSED)), 0)  # in C: all at once
        self.closed = self.closed or why

    def check_open(self, name: str) -> None:
        """Raise ModelNotLoadedError for the model ``name`` where the NCs are closed."""
        if self.closed:
            raise ModelNotLoadedError(f"{name} holds no NeuronCores: {self.closed}.")

    def wait(self, ncs: range, deadline: float | None = None) -> object:
        """Take all of ``ncs`` in order of arrival; None where ``deadline`` (time.monotonic) passes first.

        What is returned gives them back when it is dropped.
        """
        if sys.is_finalizing():  # no other thread will run again, nor give back what it holds
            return True
        cores = self.cores[ncs.start : ncs.stop]
        for core in cores:
            core.free = core.taking(False)  # noqa: FBT003 - acquire's own switch. The one that failed has ended
        me = threading.get_ident()
        # A call inside a call or inside a wait of its own thread: those behind whom it would queue may wait for it.
        if inside(self.cores):
            return _attempt_anew(cores) or next(filter(_TAKEN, map(self._lend, [cores], [deadline])), None)
        if me in self.waiters:
            return _take(cores, deadline)
        waiter = _Waiter()
        return (
            Undo(waiter.gate.release),
            Undo(self.waiters.discard, me),
            [Undo(core.queue.discard, me) for core in cores],
            self.waiters.add(me),
            (self._joining.hold(), self._join(waiter, me, ncs))[1],
            _take(cores, deadline) if waiter.comes_first(deadline) else None,
        )[-1]

    def _lend(self, cores: Sequence[Core], deadline: float | None) -> tuple[object, object]:
        """Take ``cores``, or None where ``deadline`` passes first, with what the thread holds given back until both of
        what is returned are dropped, the last one first."""
        # From the last NC to the first: a list is dropped from its end, and all take NCs back in the same order.
        return (
            [
                guarded(core.lock._acquire_restore, core.lock._release_save)  # type: ignore[attr-defined] # noqa: SLF001 - as in Condition
                for core in reversed(self.cores)
                if core.inside()
            ],
            _take(cores, deadline),
        )

    def _join(self, waiter: _Waiter, me: int, ncs: range) -> None:
        """Queue up behind the last waiter at each NC. With ``_joining`` held, so that two waiters are in the same order
        at all NCs that both wait for."""
        for nc in ncs:
            self.cores[nc].queue.add(me)
            last = self._last[nc]
            if last is not None:
                waiter.behind += (last,) if last.gate.locked() else last.behind
            self._last[nc] = waiter


class _Waiter:
    """A place in the queue. ``gate`` is open once the waiter has left; ``behind``: the waiters before it that have not
    left, as far as it knows."""

    __slots__ = ("behind", "gate")

    def __init__(self) -> None:
        self.behind: tuple[_Waiter, ...] = ()
        self.gate = threading.Lock()
        self.gate.acquire()

    def comes_first(self, deadline: float | None) -> bool:
        """Wait until all before it have left; False where ``deadline`` passes first."""
        while self.behind:
            before = self.behind[0]
            if next(taken(before.gate, *_patience(deadline)), None) is None:
                return False
            # A waiter that gave up left before its turn: those it still waited for come before this one, too.
            self.behind = before.behind + self.behind[1:]
        return True


def inside(cores: Sequence[Core]) -> bool:
    """Whether the calling thread has one of ``cores``."""
    return any(core.inside() for core in cores)


def attempt(cores: Sequence[Core]) -> object:
    """Take all of ``cores`` now, or none; None where one is taken or a thread waits for one."""
    if any([core.queue for core in cores]):  # noqa: C419 - a generator takes twice as long
        return None
    return next(zip(*[core.free for core in cores]), None) or _attempt_anew(cores)


def _attempt_anew(cores: Sequence[Core]) -> object:
    """The same with new iterators: a failed attempt has ended the old ones."""
    for core in cores:
        core.free = core.taking(False)  # noqa: FBT003 - acquire's own switch
    return next(zip(*[core.free for core in cores]), None)


def _take(cores: Sequence[Core], deadline: float | None) -> object:
    """Take all of ``cores`` as soon as they are free together; None where ``deadline`` passes first."""
    if len(cores) == 1:
        return next(cores[0].taking(*_patience(deadline)), None)
    return next(filter(None, iter(lambda: _once_free(cores, deadline), None)), None)


def _once_free(cores: Sequence[Core], deadline: float | None) -> object:
    """Wait until each of ``cores`` was free at a time of its own, then try to take all: False where that failed, None
    where ``deadline`` passes first."""
    for core in cores:
        if next(taken(core.lock, *_patience(deadline)), None) is None:
            return None
    return _attempt_anew(cores) or False


def _patience(deadline: float | None) -> tuple[()] | tuple[bool, float]:
    """Arguments of a lock's ``acquire``."""
    return () if deadline is None else (True, max(0.0, deadline - time.monotonic()))
