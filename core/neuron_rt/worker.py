"""A thread of the runtime's for the models that their callers cannot run themselves (SPEC X1, X3).

That is a model with a time-out, whose caller must be able to leave while the model still runs, and one on a group of
several CPUs: the framework's helper threads keep the mask of the thread that made them.
"""

from __future__ import annotations

import contextvars
import logging
import os
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from itertools import repeat
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from neuron_rt import lifecycle
from neuron_rt.errors import EngineError, ExecutionTimeoutError
from neuron_rt.lifecycle import Step
from neuron_rt.placement import CoreRange
from neuron_rt.telemetry import TIMEOUTS, clock
from neuron_rt.undo import Mutex, Undo

if TYPE_CHECKING:
    from neuron_rt.execution import Slot

log = logging.getLogger("neuron_rt")

_threads: set[int] = set()
"""Threads that serve jobs now: what they call runs in them."""

_NOTHING = object()
lifecycle.in_child(Step.WORKERS, _threads.clear)  # a new thread may get the number of one of the parent's


class _LateError(Exception):
    """The NCs were not free in time."""


class _Job:
    """One call on its way through a worker."""

    __slots__ = ("_call", "_deadline", "_hold_back", "_slot", "abandoned", "asked", "done", "error", "result")

    def __init__(self, slot: Slot, call: Callable[[], Any], deadline: float | None, hold_back: bool) -> None:
        self._slot = slot
        self._call = call
        self._deadline = deadline
        self._hold_back = hold_back
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
            self.result = (self._slot.take(self._deadline) or _late(), self._compute())[1]
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            self.error = error

    def _compute(self) -> Any:
        return None if self.abandoned else self._slot.compute(self._call, (), {}, self._hold_back, self.asked)


def _late() -> object:
    raise _LateError


class Worker:
    """The long-lived thread of a slot, started at its first job. It knows no slot but that of the job at hand, so a
    model's end ends it."""

    def __init__(self, core_range: CoreRange, cpus: frozenset[int]) -> None:
        """``cpus``: what its thread is tied to; empty for no CPUs in particular."""
        self._name = f"neuron_rt {core_range}"
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

    def call(
        self, slot: Slot, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool
    ) -> Any:
        """Run ``fn`` in this thread and wait for it, the wait for the NCs included."""
        context = contextvars.copy_context()
        call = slot.framework.carry(lambda: context.run(fn, *args, **kwargs))
        seconds = slot.timeout
        job = _Job(slot, call, None if seconds is None else time.monotonic() + seconds, hold_back)
        in_time = (
            Undo(job.abandoned.append, True),  # noqa: FBT003 - anything will do
            self._submit(job),
            job.done.acquire(timeout=-1 if seconds is None else seconds),
        )[2]
        if seconds is not None and (not in_time or isinstance(job.error, _LateError)):
            slot.row.words[TIMEOUTS] += 1
            raise ExecutionTimeoutError(
                f"The model on {slot.core_range} did not answer within NEURON_RT_EXEC_TIMEOUT={seconds:g} s "
                "(NRT status 5). Its NeuronCores stay taken until it ends. Raise the time-out, or unset it for none.",
                seconds=seconds,
            )
        if job.error is not None:
            try:
                raise job.error
            finally:
                del job  # the frame would keep the error, and the error its frame
        if job.result is _NOTHING:
            raise EngineError(f"The thread of the model on {slot.core_range} ended in the middle of a call.")
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
            thread = threading.Thread(target=self._run, args=(self._heir(),), name=self._name, daemon=True)
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
        """The thread. An exception in it that is no job's own (only another thread can raise one here) ends it, and its
        end starts an heir, since callers wait for the jobs that are left."""
        me = threading.get_ident()
        return (heir or self._heir(), Undo(_threads.discard, me), _threads.add(me), self._serve())[3]

    def _serve(self) -> None:
        if self._cpus and hasattr(os, "sched_setaffinity"):
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
