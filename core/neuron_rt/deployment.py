"""Which engine computes, and how the NCs of a process share a model in it (SPEC K5)."""

from __future__ import annotations

import importlib.util
import logging
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from neuron_rt.engine import Engine, Executable, Program, Request
from neuron_rt.errors import EngineError
from neuron_rt.undo import Mutex

log = logging.getLogger("neuron_rt")

#: Bytes that all copies of a model's weights may take before its NCs share one.
MOST_COPIED = 16 << 20


def installed_engine(choice: str = "auto") -> Engine | None:
    """The engine for NEURON_ADAPTERS_ENGINE=``choice``; None where the framework shall compute or none is installed."""
    if choice == "framework" or importlib.util.find_spec("openvino") is None:
        return None
    from neuron_rt.openvino import OpenVINO

    try:
        return OpenVINO.instance()
    except EngineError as error:
        log.warning("OpenVINO is installed but cannot be used: %s", error)
        return None


class RequestPool:
    """The requests of a program on one set of CPUs. ``request()`` makes one; ``idle`` holds what the adapter keeps of
    those that have finished, so that after warm-up a call neither allocates nor blocks. ``threads`` run a request.
    ``guarded`` counts the calls that the framework answered, since only its answer is exact (SPEC K3)."""

    __slots__ = ("__weakref__", "_shares", "guarded", "idle", "request", "threads")

    def __init__(self, request: Callable[[], Request], threads: int) -> None:
        self.request: Callable[[], Request] = request
        self.threads: int = threads
        self.idle: deque[Any] = deque()
        self.guarded: int = 0
        self._shares: weakref.WeakSet[RequestPool] = weakref.WeakSet()

    def share(self) -> RequestPool:
        """A pool of the same requests that counts for itself: one for each model that has them."""
        share = RequestPool(self.request, self.threads)
        share.idle = self.idle
        self._shares.add(share)
        return share

    def move(self, request: Callable[[], Request]) -> None:
        """Make requests of another executable from now on. A call that is running leaves its request to the old one."""
        idle: deque[Any] = deque()
        for pool in (self, *self._shares):
            pool.request, pool.idle = request, idle


class CpuSet(NamedTuple):
    """A set of CPUs to run on. ``key`` tells it from others; ``cpus`` is empty where threads are not bound."""

    key: Hashable
    cpus: frozenset[int]
    threads: int


class Deployment:
    """A program on the NCs of this process, its weights held once (SPEC K5).

    Slots on the same CPUs share an executable: they could not run at once anyway. Slots on other CPUs have an
    executable each while the weights are small. Larger weights are held once, in an executable of several lanes, whose
    threads are the engine's. A lane is one thread: it can be sent to any CPU. Several threads of the engine's cannot,
    so each set of CPUs on which several compute has an executable of its own, and what the engine packs is held again.
    Where only calling threads compute, each set has one, of one thread.
    """

    def __init__(self, engine: Engine, program: Program, *, bf16: bool = False) -> None:
        self.engine = engine
        self.program = program
        self.bf16 = bf16
        self._guard = Mutex()  # a signal handler may load a model here
        self._cpu_sets: dict[Hashable, CpuSet] = {}
        self._pools: dict[Hashable, RequestPool] = {}
        self._shared: dict[int, tuple[Executable, int]] = {}
        """By the number of threads: the executable of several lanes, and how many it has."""
        self._worth = 0

    def threads(self, most: int) -> int:
        """How many of ``most`` threads a run has. Raises EngineError."""
        if most > 1 and not self._worth:
            self._worth = self.engine.worth_threads(self.program)
        return min(most, self._worth or 1)

    def pools(self, cpu_sets: Sequence[CpuSet]) -> list[RequestPool]:
        """A pool for each of ``cpu_sets``. Loads what is not loaded yet. Raises EngineError."""
        return (self._guard.hold(), self._make_pools(cpu_sets))[1]

    def _make_pools(self, cpu_sets: Sequence[CpuSet]) -> list[RequestPool]:
        callers = self.engine.callers_compute()
        if callers:
            _tell_of_lost_threads(cpu_sets)
            cpu_sets = [cpu_set._replace(threads=1) for cpu_set in cpu_sets]
        new = [cpu_set for cpu_set in dict.fromkeys(cpu_sets) if cpu_set.key not in self._pools]
        small = callers or (len(self._pools) + len(new) - 1) * self.program.packed_bytes <= MOST_COPIED
        for cpu_set in new:
            if small or not _is_movable(cpu_set):
                self._use(self.engine.load(self.program, cpu_set.threads, [cpu_set.cpus], bf16=self.bf16), [cpu_set])
        for threads in dict.fromkeys(cpu_set.threads for cpu_set in new if not small and _is_movable(cpu_set)):
            self._share(threads, new)
        return [self._pools[cpu_set.key] for cpu_set in cpu_sets]

    def _share(self, threads: int, new: Sequence[CpuSet]) -> None:
        """Let all sets of CPUs on which ``threads`` compute run in lanes of one executable; twice as many as before
        where they do not suffice."""
        executable, lanes = self._shared.get(threads, (None, 0))
        every = dict.fromkeys(s for s in (*self._cpu_sets.values(), *new) if s.threads == threads and _is_movable(s))
        if executable is None or lanes < len(every):
            lanes = max(len(every), 2 * lanes)
            executable = self.engine.load(self.program, threads, [frozenset()] * lanes, bf16=self.bf16)
            self._shared[threads] = executable, lanes
            self._use(executable, every)
        else:
            self._use(executable, [cpu_set for cpu_set in every if cpu_set.key not in self._pools])

    def _use(self, executable: Executable, cpu_sets: Iterable[CpuSet]) -> None:
        """Make requests of ``executable`` on these CPUs from now on."""
        for cpu_set in cpu_sets:
            request = partial(executable.request, cpu_set.cpus)
            if cpu_set.key in self._pools:
                self._pools[cpu_set.key].move(request)
            else:
                self._pools[cpu_set.key] = RequestPool(request, cpu_set.threads)
            self._cpu_sets[cpu_set.key] = cpu_set


def _tell_of_lost_threads(cpu_sets: Sequence[CpuSet]) -> None:
    global _told
    if not _told and any(cpu_set.threads > 1 for cpu_set in cpu_sets):
        _told = True
        log.warning(
            "This process was forked after the engine had started threads in its parent. They do not survive that, so "
            "each model computes in one thread here. Fork before the first load, or start processes by 'spawn'."
        )


_told = False
"""Whether this process, or its parent, has said so."""


def _is_movable(cpu_set: CpuSet) -> bool:
    """Whether any lane can run there: it has one thread, which can be sent to any CPU, or is not bound."""
    return cpu_set.threads == 1 or not cpu_set.cpus
