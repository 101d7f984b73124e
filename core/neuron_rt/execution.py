"""Execution: an NC runs one model at a time, on its own CPUs, first come first served (SPEC P5, X1-X5).

The caller runs the model. A call takes its NCs, ties its thread to their CPUs, runs, unties, gives the NCs back.
The thread's own CPU mask is put back after every call: a thread or process that the user starts from it inherits
nothing of ours. Tying and untying cost several microseconds, so a model that takes no longer than BRIEF runs untied
in a thread that is on the right CPU anyway. A thread of ours (``worker``) runs the model only where the caller cannot.

Everything that a call takes is given back by an object on the stack (``undo``), so an exception may come between any
two bytecodes of it, and a signal handler may call a model there (SPEC X4).
"""

from __future__ import annotations

import contextvars
import copy
import ctypes
import logging
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from neuron_rt import recording
from neuron_rt.core_locks import CoreLocks, attempt
from neuron_rt.errors import ExecutionTimeoutError
from neuron_rt.placement import CoreRange
from neuron_rt.recording import Execution
from neuron_rt.telemetry import CALLS, ERRORS, SINCE, STARTED, SWITCHES, TIMEOUTS, Row, clock
from neuron_rt.undo import Undo
from neuron_rt.worker import LateError, Worker

log = logging.getLogger("neuron_rt")

R = TypeVar("R")

#: Nanoseconds. A model whose last call took no longer is not bound again while its caller is on the right CPU.
BRIEF = 100_000
#: What ``Slot.last`` is before the first call.
NEVER = 1 << 62


def _cpu_reader() -> Callable[[], int]:
    """sched_getcpu(3), or a function that returns -1 where the C library has none. PyDLL: releasing the interpreter
    lock would cost more than the call."""
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

    def limit_threads(self, most: int) -> object:
        """Let the calling thread's operators use ``most`` threads at most, until what is returned is dropped
        (``neuron_rt.undo``); None where nothing changed."""

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Wrap ``call`` so that in any thread it sees the state of the thread that called ``carry``."""


class PlainFramework:
    """For callables that start no threads and keep no thread-bound state."""

    def limit_threads(self, most: int) -> object:
        """Change nothing."""

    def carry(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Return ``call``."""
        return call


class Slot:
    """One replica of a model on its NCs. ``calls``, ``errors``, ``timeouts`` and ``switches`` count since loading, in
    a row that tools can read."""

    __slots__ = (
        "_core", "_cores", "_first", "_leaving", "_multicore", "_queue", "_resident", "core_range", "cpus", "framework",
        "lanes", "last", "model", "name", "ncs", "pool", "row", "threads", "timeout", "worker",
    )  # fmt: skip

    def __init__(
        self,
        lanes: CoreLocks,
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
        self.lanes: CoreLocks = lanes
        self.core_range: CoreRange = core_range
        self.ncs: range = core_range.ncs
        self.framework: Framework = framework
        self.model: object = model
        self.name: str = name
        self.timeout: float | None = timeout
        self.threads: int = len(cpus)
        self.pool: Any = None
        """The engine's requests for this replica (``deployment.RequestPool``); None where the framework computes."""
        # A group that spans every CPU needs no tying down.
        self.cpus: frozenset[int] = cpus if cpus < machine else frozenset()
        self.row: Row = row or Row()
        self.last: int = NEVER
        """Nanoseconds of the last call, binding and unbinding included."""
        self._cores = lanes.cores[self.ncs.start : self.ncs.stop]
        self._multicore = len(self._cores) > 1
        self._core = self._cores[0]
        self._resident = lanes.resident
        self._first = self.ncs.start
        self._queue = self._core.queue
        self.worker = Worker(str(core_range), self.cpus) if timeout is not None or len(self.cpus) > 1 else None
        self._leaving = self.worker.stopping() if self.worker is not None else None

    @property
    def calls(self) -> int:
        """Calls that have ended."""
        return self.row.words[CALLS]

    @property
    def errors(self) -> int:
        """Calls that raised."""
        return self.row.words[ERRORS]

    @property
    def timeouts(self) -> int:
        """Calls that ran into NEURON_RT_EXEC_TIMEOUT."""
        return self.row.words[TIMEOUTS]

    @property
    def switches(self) -> int:
        """Calls that took the place of another model on an NC."""
        return self.row.words[SWITCHES]

    def idle(self) -> bool:
        """Whether a call would begin at once, as far as can be told."""
        return attempt(self._cores) is not None

    def leave_to_caller(self) -> None:
        """Let the calling thread run the model, since a single thread computes, unless a caller must be able to leave
        (SPEC X3)."""
        if self.timeout is None:
            self.worker = self._leaving = None

    def bind_next_call(self) -> None:
        """Bind the thread of the next call, however brief the calls so far were."""
        self.last = NEVER

    def uncounted(self) -> Slot:
        """Return a slot on the same NCs and CPUs that counts nowhere: for work that makes a model ready, and is no call
        and no switch."""
        slot = copy.copy(self)
        slot.row = Row()
        slot.model = self._resident[self._first]
        return slot

    def run(self, fn: Callable[..., R], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool = True) -> R:
        """Call ``fn(*args, **kwargs)`` on the NCs. Its exceptions pass unchanged (SPEC X2).

        ``hold_back``: whether the framework's own threads compute, and must be limited to the CPUs of the NCs.
        Raises ExecutionTimeoutError where NEURON_RT_EXEC_TIMEOUT is set and passes (SPEC X3), ModelNotLoadedError where
        the runtime is closed.
        """
        if self.worker is not None and self.worker.needed():
            result: R = self._run_in(self.worker, fn, args, kwargs, hold_back)
            return result
        asked = 0
        return (
            (attempt(self._cores) if self._multicore else not self._queue and next(self._core.free, None))
            or ((asked := clock()) and self.take()),
            self.compute(fn, args, kwargs, hold_back, asked),
        )[1]

    def take(self, deadline: float | None = None) -> object:
        """Take the NCs in order of arrival, until what is returned is dropped; None where ``deadline``
        (time.monotonic) passes first. Raises ModelNotLoadedError where the runtime is closed."""
        self.lanes.check_open(self.name)
        return (self.lanes.wait(self.ncs, deadline), self.lanes.check_open(self.name))[0]

    def compute(
        self, fn: Callable[..., R], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool, asked: int
    ) -> R:
        """Run with the NCs taken. ``asked``: when the call began to wait for them, 0 where it did not."""
        words = self.row.words
        switched = self._resident[self._first] is not self.model and self._switch()
        failed = False
        since = words[SINCE] and self._outer_call(words[SINCE])
        began = words[SINCE] = clock()
        try:
            # A brief call of a thread that is on its CPU already is over before the scheduler could move it.
            if self.cpus and (self.last > BRIEF or _current_cpu() not in self.cpus):
                return (self._tie(), hold_back and self.framework.limit_threads(self.threads), fn(*args, **kwargs))[2]
            if hold_back and self.threads:
                return (self.framework.limit_threads(self.threads), fn(*args, **kwargs))[1]
            return fn(*args, **kwargs)
        except Exception:
            failed = True
            raise
        finally:
            row = self.row
            words = row.words  # a forked child counts in words of its own
            words[STARTED] = row.calls + 1
            words[SINCE] = since  # before anything is called: no signal's exception can come before it
            self.last = spent = clock() - began
            row.count(spent, began - asked if asked else 0, failed)
            if recording.timelines:
                self._record(asked, began, began + spent, switched, failed)

    def _run_in(
        self, worker: Worker, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], hold_back: bool
    ) -> Any:
        """Let the thread of ``worker`` run it, with the caller's context."""
        context = contextvars.copy_context()
        call = self.framework.carry(lambda: context.run(fn, *args, **kwargs))
        try:
            return worker.call(self.take, partial(self.compute, call, (), {}, hold_back), self.timeout)
        except LateError:
            self.row.words[TIMEOUTS] += 1
            raise ExecutionTimeoutError(
                f"The model on {self.core_range} did not answer within NEURON_RT_EXEC_TIMEOUT={self.timeout:g} s "
                "(NRT status 5). Its NeuronCores stay taken until it ends. Raise the time-out, or unset it for none.",
                seconds=self.timeout,
            ) from None

    def _record(self, asked: int, began: int, ended: int, switched: bool, failed: bool) -> None:
        ncs, thread = self.core_range.instance_ncs, threading.get_native_id()
        execution = Execution(self.name, ncs, asked, began, ended, switched, failed, thread)
        for timeline in recording.timelines:
            timeline.add(execution)

    def _outer_call(self, since: int) -> int:
        """``since`` where this call is inside another call, since a signal handler may call the model that it has
        interrupted; 0 where ``since`` is left over from a call that was interrupted."""
        return since if any("count=1 " not in repr(core.lock) for core in self._cores) else 0

    def _tie(self) -> object:
        """Tie the calling thread to the CPUs of the NCs, until what is returned is dropped."""
        home = os.sched_getaffinity(0)
        return None if home <= self.cpus else (Undo(os.sched_setaffinity, 0, home), self._bind())[0]

    def _bind(self) -> None:
        try:
            os.sched_setaffinity(0, self.cpus)
        except OSError as error:  # the container was given other CPUs since we looked
            log.warning("cannot use CPUs %s any more (%s); running unpinned", sorted(self.cpus), error.strerror)
            self.cpus = frozenset()

    def _switch(self) -> bool:
        """Put the model on its NCs; whether another one was there."""
        resident = self._resident
        switched = any(resident[nc] not in {None, self.model} for nc in self.ncs)
        for nc in self.ncs:
            resident[nc] = self.model
        if switched:
            self.row.words[SWITCHES] += 1
        return switched
