"""Execution: an NC runs one model at a time, on its own CPUs, first come first served (SPEC P5, X1-X5).

The caller runs the model. A call takes its NCs, ties its thread to their CPUs, runs, unties, gives the NCs back.
The thread's own CPU mask is put back after every call: a thread or process that the user starts from it inherits
nothing of ours. Tying and untying cost several microseconds, so a model that takes no longer than BRIEF runs untied
in a thread that is on the right CPU anyway. A thread of ours runs the model only where the caller cannot: with a
time-out that must return while the model still runs, and on a group of several CPUs, whose helper threads keep the
mask of the thread that made them.

No lock is held between two bytecodes of ours: NCs are re-entrant locks and the queue is a deque, so a signal handler
may call a model at any point of a call (SPEC X4).
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Protocol

from neuron_rt import recording
from neuron_rt.errors import ExecutionTimeoutError
from neuron_rt.placement import CoreRange
from neuron_rt.telemetry import CALLS, ERRORS, SINCE, SWITCHES, TIMEOUTS, Row, clock, count

log = logging.getLogger("neuron_rt")

#: Nanoseconds. A model whose last call took no longer is not bound again while its caller is on the right CPU.
BRIEF = 100_000
#: What ``Slot.last`` is before the first call.
NEVER = 1 << 62

_set_mask = getattr(os, "sched_setaffinity", None)
_get_mask = getattr(os, "sched_getaffinity", None)


def _cpu_reader() -> Callable[[], int]:
    """sched_getcpu(3), or what is on no CPU where the C library has none. PyDLL: letting go of the interpreter lock
    would cost more than the call."""
    try:
        reader = ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return lambda: -1
    reader.argtypes = ()
    return reader


_current_cpu = _cpu_reader()


class Framework(Protocol):
    """What execution must know of a framework, and nothing more: how to hold its threads back, and how to take a
    call's thread-bound state (gradient mode and the like) to another thread."""

    def limit_threads(self, most: int) -> int:
        """Let the calling thread's operators use ``most`` threads at most; return what to give ``restore_threads``,
        0 where nothing changed."""

    def restore_threads(self, before: int) -> None:
        """Undo ``limit_threads`` in the calling thread."""

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Wrap ``call`` so that in any thread it sees the state of the thread that called ``carry``."""


class PlainFramework:
    """For callables that start no threads and keep no thread-bound state."""

    def limit_threads(self, most: int) -> int:  # noqa: ARG002 - the protocol's signature
        """Change nothing."""
        return 0

    def restore_threads(self, before: int) -> None:
        """Change nothing."""

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Return ``call``."""
        return call


class Lanes:
    """The NCs of a process as locks, and the queue before them."""

    def __init__(self, count: int) -> None:
        self.locks = tuple(threading.RLock() for _ in range(count))
        self.resident: list[object] = [None] * count
        self.waiters: deque[_Waiter] = deque()
        """All that wait, in order of arrival."""
        self.queues: tuple[deque[_Waiter], ...] = tuple(deque() for _ in range(count))
        """The same by NC: who passes by an NC that nobody waits for need not care for the rest."""

    def take(self, ncs: range) -> bool:
        """Take all of ``ncs`` or none, without waiting. A thread may take again what it holds."""
        if self._try(ncs):
            return True
        if self.wanted(ncs):  # somebody may have been turned away by what we held for a moment
            self.wake()
        return False

    def wanted(self, ncs: range) -> bool:
        """Whether somebody waits for one of ``ncs``."""
        return any(self.queues[nc] for nc in ncs)

    def _try(self, ncs: range) -> bool:
        for nc in ncs:
            if not self.locks[nc].acquire(blocking=False):
                for taken in range(ncs.start, nc):
                    self.locks[taken].release()
                return False
        return True

    def give(self, ncs: range) -> None:
        """Give ``ncs`` back, and wake whoever is next."""
        for nc in ncs:
            self.locks[nc].release()
        if self.wanted(ncs):
            self.wake()

    def wait(self, ncs: range, deadline: float | None = None) -> bool:
        """Take ``ncs`` in order of arrival; False where ``deadline`` (time.monotonic) passes first."""
        waiter = _Waiter(ncs)
        try:
            self.waiters.append(waiter)
            for nc in ncs:
                self.queues[nc].append(waiter)
            # One in the queue turns nobody away that is before it, and wakes nobody, least of all itself.
            while not (self._turn(waiter) and self._try(ncs)):
                if deadline is None:
                    waiter.gate.acquire()
                elif not waiter.gate.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    return False
            return True
        finally:
            for queue in (self.waiters, *(self.queues[nc] for nc in ncs)):
                if waiter in queue:
                    queue.remove(waiter)
            if self.wanted(ncs):
                self.wake()

    def wake(self) -> None:
        """Open the gate of every waiter that has no earlier one before it on any of its NCs."""
        before = 0
        for waiter in tuple(self.waiters):
            if not waiter.mask & before:
                waiter.open()
            before |= waiter.mask

    def _turn(self, waiter: _Waiter) -> bool:
        for other in tuple(self.waiters):
            if other is waiter:
                return True
            # A signal handler that interrupted its own thread's waiting goes first: that wait can't end before it.
            if other.mask & waiter.mask and other.thread != waiter.thread:
                return False
        return True


class _Waiter:
    __slots__ = ("gate", "mask", "thread")

    def __init__(self, ncs: range) -> None:
        self.mask = ((1 << len(ncs)) - 1) << ncs.start
        self.thread = threading.get_ident()
        self.gate = threading.Lock()
        self.gate.acquire()

    def open(self) -> None:
        with contextlib.suppress(RuntimeError):  # open already
            self.gate.release()


class Slot:
    """One replica of a model on its NCs. ``calls``, ``errors``, ``timeouts`` and ``switches`` count since loading, in
    a row that tools can read."""

    __slots__ = (
        "_alone", "_queue", "core_range", "cpus", "framework", "lanes", "last", "model", "name", "ncs", "row",
        "station", "threads", "timeout", "worker",
    )  # fmt: skip

    def __init__(
        self,
        lanes: Lanes,
        core_range: CoreRange,
        cpus: frozenset[int],
        framework: Framework,
        model: object,
        *,
        machine: frozenset[int],
        timeout: float | None = None,
        row: Row | None = None,
        name: str = "",
    ) -> None:
        """``cpus`` empty pins nothing (SPEC I4). ``machine``: all CPUs this process may use. ``row``: where it
        counts."""
        self.lanes = lanes
        self.core_range = core_range
        self.ncs = range(core_range.start_nc, core_range.start_nc + core_range.nc_count)
        self.framework = framework
        self.model = model
        self.name = name
        self.timeout = timeout
        self.threads = len(cpus)
        self.station: Any = None
        """What the adapter keeps with this replica: where its engine runs it."""
        # A group that spans every CPU needs no tying down.
        self.cpus = cpus if cpus < machine else frozenset()
        self.row = row or Row()
        self.last = NEVER
        """Nanoseconds of the last call, binding and unbinding included."""
        self._alone = lanes.locks[core_range.start_nc] if core_range.nc_count == 1 else None
        self._queue = lanes.queues[core_range.start_nc]
        self.worker = Worker(core_range, self.cpus) if timeout is not None or len(self.cpus) > 1 else None

    def __del__(self) -> None:
        worker = getattr(self, "worker", None)
        if worker is not None:
            worker.stop()
        row = getattr(self, "row", None)
        if row is not None:
            row.leave()

    @property
    def calls(self) -> int:
        """Calls that have ended."""
        return self.row.words[CALLS]

    @property
    def errors(self) -> int:
        """Of those, the ones that raised."""
        return self.row.words[ERRORS]

    @property
    def timeouts(self) -> int:
        """Calls whose caller was sent away."""
        return self.row.words[TIMEOUTS]

    @property
    def switches(self) -> int:
        """Calls that found another model on an NC of theirs."""
        return self.row.words[SWITCHES]

    def idle(self) -> bool:
        """Whether a call would begin at once, as far as can be told."""
        if self.lanes.wanted(self.ncs) or not self.lanes.take(self.ncs):
            return False
        self.lanes.give(self.ncs)
        return True

    def run(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool = True) -> Any:
        """Call ``fn(*args, **kwargs)`` on the NCs. Its exceptions pass unchanged (SPEC X2).

        ``hold_back``: whether the framework's own threads compute, and must be limited to the CPUs of the NCs.
        Raises ExecutionTimeoutError where NEURON_RT_EXEC_TIMEOUT is set and passes (SPEC X3).
        """
        if self.worker is not None and not isinstance(threading.current_thread(), Worker):
            return self.worker.call(self, fn, args, kwargs, hold_back)
        lanes = self.lanes
        alone = self._alone
        asked = 0
        if alone is None:
            if lanes.wanted(self.ncs) or not lanes.take(self.ncs):
                asked = clock()
                lanes.wait(self.ncs)
        elif self._queue or not alone.acquire(False):  # noqa: FBT003 - the fast path counts every 10 ns
            asked = clock()
            lanes.wait(self.ncs)
        try:
            return self._run(fn, args, kwargs, hold_back, asked)
        finally:
            if alone is None:
                lanes.give(self.ncs)
            else:
                alone.release()
                if self._queue:
                    lanes.wake()

    def _run(
        self, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool, asked: int
    ) -> Any:
        """Run with the NCs held. ``asked``: when the call began to wait for them, 0 where it did not."""
        row = self.row
        switched = failed = False
        if self._alone is None or self.lanes.resident[self.core_range.start_nc] is not self.model:
            switched = self._switch()
        before = 0
        home = None
        since = row.words[SINCE]  # not 0 where a signal handler calls the model that it interrupted
        began = clock()
        try:
            row.words[SINCE] = began
            # A brief call of a thread that is on its CPU already is over before the scheduler could move it.
            if self.cpus and (self.last > BRIEF or _current_cpu() not in self.cpus):
                home = _get_mask(0)  # type: ignore[misc]
                if home <= self.cpus:
                    home = None
                else:
                    self._bind(self.cpus)
            if hold_back and self.threads:
                before = self.framework.limit_threads(self.threads)
            return fn(*args, **kwargs)
        except Exception:
            failed = True
            raise
        finally:
            try:
                if before:
                    self.framework.restore_threads(before)
            finally:
                if home is not None:
                    self._bind(home)
                self.last = spent = clock() - began
                count(row.words, spent, began - asked if asked else 0, since, failed)
                for timeline in recording.timelines:
                    timeline.add(self, asked, began, began + spent, switched, failed)

    def _bind(self, cpus: frozenset[int] | set[int]) -> None:
        try:
            _set_mask(0, cpus)  # type: ignore[misc]
        except OSError as error:  # the container was given other CPUs since we looked
            log.warning("cannot use CPUs %s any more (%s); running unpinned", sorted(cpus), error.strerror)
            self.cpus = frozenset()

    def _switch(self) -> bool:
        """Put the model on its NCs; whether another one was there."""
        resident = self.lanes.resident
        if all(resident[nc] is self.model for nc in self.ncs):
            return False
        switched = any(resident[nc] is not None for nc in self.ncs)
        for nc in self.ncs:
            resident[nc] = self.model
        self.row.words[SWITCHES] += switched
        return switched


class _Job:
    """One call on its way through a worker."""

    __slots__ = ("asked", "call", "cancelled", "deadline", "done", "error", "hold_back", "late", "result", "slot")

    def __init__(self, slot: Slot, call: Callable[[], Any], deadline: float | None, hold_back: bool) -> None:
        self.slot = slot
        self.call = call
        self.hold_back = hold_back
        self.deadline = deadline
        self.done = threading.Lock()
        self.done.acquire()
        self.result: Any = None
        self.error: BaseException | None = None
        self.cancelled = self.late = False
        self.asked = clock()

    def run(self) -> None:
        """In the worker: wait for the NCs, run unless the caller has given up, tell."""
        slot = self.slot
        try:
            if self.cancelled:
                return
            if not slot.lanes.wait(slot.ncs, self.deadline):
                self.late = True
                return
            try:
                if not self.cancelled:
                    self.result = slot._run(self.call, (), {}, self.hold_back, self.asked)  # noqa: SLF001 - half of Slot.run
            finally:
                slot.lanes.give(slot.ncs)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            self.error = error
        finally:
            self.done.release()


class Worker(threading.Thread):
    """The long-lived thread of a slot that its callers cannot serve. It knows no slot but that of the job at hand, so
    a model's end ends it."""

    def __init__(self, core_range: CoreRange, cpus: frozenset[int]) -> None:
        super().__init__(name=f"neuron_rt {core_range}", daemon=True)
        self._cpus = cpus
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._once = threading.Lock()

    def call(
        self, slot: Slot, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool
    ) -> Any:
        """Run ``fn`` in this thread and wait for it, the wait for the NCs included."""
        context = contextvars.copy_context()
        call = slot.framework.carry(lambda: context.run(fn, *args, **kwargs))
        job = _Job(slot, call, None if slot.timeout is None else time.monotonic() + slot.timeout, hold_back)
        if self._awake():
            self._jobs.put(job)
        else:
            job.run()
        try:
            in_time = job.done.acquire(timeout=-1 if slot.timeout is None else slot.timeout)
        except BaseException:  # KeyboardInterrupt: what has not begun never begins
            job.cancelled = True
            raise
        if not in_time or job.late:
            job.cancelled = True
            slot.row.words[TIMEOUTS] += 1
            raise ExecutionTimeoutError(
                f"The model on {slot.core_range} did not answer within NEURON_RT_EXEC_TIMEOUT={slot.timeout:g} s "
                "(NRT status 5). Its NeuronCores stay taken until it ends. Raise the time-out, or unset it for none.",
                seconds=slot.timeout,
            )
        if job.error is not None:
            try:
                raise job.error
            finally:
                del job  # the frame would keep the error, and the error its frame
        return job.result

    def stop(self) -> None:
        """End after the jobs at hand. Safe from a destructor."""
        self._jobs.put(None)

    def run(self) -> None:
        """Serve jobs until told to stop."""
        if self._cpus and _set_mask is not None:
            try:
                _set_mask(0, self._cpus)
            except OSError as error:
                log.warning("cannot use CPUs %s (%s); running unpinned", sorted(self._cpus), error.strerror)
        while (job := self._jobs.get()) is not None:
            job.run()
            del job

    def _awake(self) -> bool:
        """Start the thread at its first job; False where the interpreter, on its way out, starts none any more."""
        if self.ident is None:
            with self._once:
                if self.ident is None:
                    try:
                        self.start()
                    except RuntimeError:
                        return False
        return True
