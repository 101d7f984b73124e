"""Which thread of OpenVINO's runs which request, where a program has several lanes of one thread."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from neuron_rt.undo import Mutex, Undo


class Streams:
    """The threads that run an executable of several lanes, and the CPUs that they are tied to.

    The library gives a request to whichever of its threads is idle. So before a request starts, all idle ones are tied
    to its CPUs. Which of them took it matters only when another request starts meanwhile: it is the one that has used
    CPU time.
    """

    def __init__(self, tasks: Iterable[int], count: int) -> None:
        """``tasks``: threads that the library has just started; ``count`` of them made its graphs, the rest slept."""
        self._mutex = Mutex()  # a signal handler may call a model here
        self._threads = sorted(tasks, key=_worked, reverse=True)[:count]
        self._running: dict[Any, dict[int, float]] = {}
        """Of each request that runs: the thread that took it, or those that may have, with their CPU time then."""

    def start(self, request: Any, cpus: frozenset[int], start: Callable[[int], int], handle: int) -> int:
        """Start ``request`` on ``cpus``; the status. At worst it runs on other CPUs once."""
        return (self._mutex.hold(), self._start(request, cpus, start, handle))[1]

    def _start(self, request: Any, cpus: frozenset[int], start: Callable[[int], int], handle: int) -> int:
        busy = self._busy()
        idle = [thread for thread in self._threads if thread not in busy]
        for thread in idle:
            if cpus:
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(thread, cpus)
        self._running[request] = {thread: _worked(thread) for thread in idle}
        return start(handle)

    def done(self, request: Any) -> Undo:
        """What tells, when it is dropped, that ``request`` has ended."""
        return Undo(self._running.pop, request, None)

    def runs(self) -> Callable[[], bool]:
        """Make what tells whether each thread has computed since now."""
        before = {thread: _worked(thread) for thread in self._threads}
        return lambda: all(_worked(thread) - worked > _RUN for thread, worked in before.items())

    def _busy(self) -> set[int]:
        """Threads that run a request."""
        taken: set[int] = set()
        for request in list(self._running):
            taken.update(self._taker(request, taken))
        return taken

    def _taker(self, request: Any, others: set[int]) -> Collection[int]:
        """The thread that runs ``request``; none where it has ended or does not show."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            since = self._running.get(request, {})
            if len(since) < 2:
                return since
            worked = [thread for thread in since if thread not in others and _worked(thread) - since[thread] > _WORK]
            if worked:
                self._running[request] = {worked[0]: 0.0}
                return worked[:1]
            time.sleep(_WORK)
        return ()


#: Seconds of CPU time that tell a thread that runs a request from one that just went to sleep.
_WORK = 20e-6
#: The least CPU time of a run. Programs that have several lanes are large.
_RUN = 100e-6
#: Seconds to wait until a request's thread has used CPU time. Then it counts as idle, and may be tied elsewhere.
_PATIENCE = 2e-3


def _worked(thread: int) -> float:
    """CPU time of a thread of this process in seconds, by the clock that Linux has for it (clock_getres(2)); 0 where
    there is none."""
    try:
        return time.clock_gettime((~thread << 3) | 6)
    except OSError:
        return 0.0
