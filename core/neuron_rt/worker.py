"""A thread of the runtime for models that their callers cannot run themselves (SPEC X1, X3).

That is a model with a time-out, whose caller must be able to leave while the model still runs, and a model on a group
of several CPUs, since the framework's helper threads keep the CPU mask of the thread that made them.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from itertools import repeat
from queue import SimpleQueue
from typing import Any

from neuron_rt import lifecycle
from neuron_rt.errors import EngineError
from neuron_rt.lifecycle import Step
from neuron_rt.telemetry import clock
from neuron_rt.undo import Mutex, Undo

log = logging.getLogger("neuron_rt")

_threads: set[int] = set()
"""Threads that serve jobs now: what they call runs in them."""

_NOTHING = object()
lifecycle.in_child(Step.WORKERS, _threads.clear)  # a new thread may get the number of one of the parent's


class LateError(Exception):
    """A call did not end in time, or its NCs were not free in time."""


class _Job:
    """One call on its way through a worker."""

    __slots__ = ("_compute", "_deadline", "_take", "abandoned", "asked", "done", "error", "result")

    def __init__(
        self, take: Callable[[float | None], object], compute: Callable[[int], Any], deadline: float | None
    ) -> None:
        self._take = take
        self._compute = compute
        self._deadline = deadline
        self.asked = clock()
        self.abandoned: list[object] = []
        """Not empty once the caller has left: what has not begun then never begins."""
        self.done = threading.Lock()
        self.done.acquire()
        self.result: Any = _NOTHING
        self.error: BaseException | None = None

    def ending(self) -> Undo:
        """What tells the caller that the call has ended, when it is dropped."""
        return Undo(self.done.release)

    def run(self) -> None:
        """In the worker: run unless the caller has left."""
        try:
            self.result = (
                self._take(self._deadline) or _late(), None if self.abandoned else self._compute(self.asked)
            )[1]  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            self.error = error


def _late() -> object:
    raise LateError


class Worker:
    """The long-lived thread of a slot, started at its first job. Only the job at hand refers to the slot, so the thread
    ends with the model."""

    def __init__(self, name: str, cpus: frozenset[int]) -> None:
        """``name``: of its NCs. ``cpus``: what its thread is tied to; empty for no CPUs in particular."""
        self._name = name
        self._cpus = cpus
        self._jobs: SimpleQueue[list[Any] | None] = SimpleQueue()
        self._heirs: list[Callable[[], None]] = []
        self._starting = Mutex()
        self.thread: threading.Thread | None = None

    def stopping(self) -> object:
        """What ends the thread, after the jobs at hand, when it is dropped."""
        return (Undo(self._jobs.put, None), Undo(self._heirs.clear))

    def needed(self) -> bool:
        """Whether the calling thread cannot run the model itself. It can inside another model's worker, and while the
        interpreter shuts down, when no other thread runs any more."""
        return threading.get_ident() not in _threads and not sys.is_finalizing()

    def call(self, take: Callable[[float | None], object], compute: Callable[[int], Any], seconds: float | None) -> Any:
        """Take the NCs with ``take(deadline)`` in this thread, call ``compute(asked)`` with the time of this call, and
        wait for it. Its exceptions pass unchanged; raises LateError where ``seconds`` pass first."""
        job = _Job(take, compute, None if seconds is None else time.monotonic() + seconds)
        in_time = (
            Undo(job.abandoned.append, True),  # noqa: FBT003 - anything will do
            self._submit(job),
            job.done.acquire(timeout=-1 if seconds is None else seconds),
        )[2]
        if not in_time:
            raise LateError
        if job.error is not None:
            try:
                raise job.error
            finally:
                del job  # the frame would keep the error, and the error its frame
        if job.result is _NOTHING:
            raise EngineError(f"The thread of the model on {self._name} ended in the middle of a call.")
        return job.result

    def _submit(self, job: _Job) -> None:
        """Hand ``job`` to the thread; run it here where the interpreter, on its way out, starts none any more."""
        if (self.thread is not None and self.thread.is_alive()) or (self._starting.hold(), self._start())[1]:
            self._jobs.put([job.ending(), job])
        else:
            (job.ending(), job.run())

    def _start(self) -> bool:
        """Start the thread, unless another caller just did; whether there is one."""
        if self.thread is None or not self.thread.is_alive():
            self._heirs[:] = [self._run]
            name = f"neuron_rt {self._name}"
            thread = threading.Thread(target=self._run, args=(self._heir(),), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._heirs.clear()
                return False
            self.thread = thread
        return True

    def _heir(self) -> Undo:
        """What starts another such thread when it is dropped, as long as the worker is not stopped."""
        return Undo(next, map(start_new_thread, iter(self._heirs), repeat(())), None)

    def _run(self, heir: Undo | None = None) -> None:
        """The thread. An exception that does not come from a job (only another thread can raise it here) ends the
        thread, and its end starts an heir, since callers wait for the jobs that are left."""
        me = threading.get_ident()
        return (heir or self._heir(), Undo(_threads.discard, me), _threads.add(me), self._serve())[3]

    def _serve(self) -> None:
        if self._cpus:
            try:
                os.sched_setaffinity(0, self._cpus)
            except OSError as error:
                log.warning("cannot use CPUs %s (%s); running unpinned", sorted(self._cpus), error.strerror)
        while self._serve_one():
            pass
        self._jobs.put(None)  # an interrupted start may have made two threads

    def _serve_one(self) -> bool:
        """Run the next job and tell its caller; False where there are no more."""
        entry = self._jobs.get()
        if entry is not None:
            entry[1].run()
            entry.clear()  # an error's traceback keeps this frame, and what is in it
        return entry is not None
