"""A compiled model as something to run: what the executables of all adapters have in common.

An executable opens the form for the engine that travels in a file, runs it by a pool of requests, and is shared by all
loads of that file (SPEC K5). Where no engine computes, the framework does.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from neuron_adapters.adapter.compile import NOT_INSTALLED, find_engine
from neuron_adapters.files.printable import one_line
from neuron_rt import Computation, Config, CpuSet, Deployment, Engine, EngineError, RequestPool, Slot, smt_cores

log = logging.getLogger("neuron_adapters")

E = TypeVar("E")


class Shared(Generic[E]):
    """Executables by the state of their file, held weakly (SPEC K5)."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[Hashable, E] = weakref.WeakValueDictionary()
        self._guard = threading.RLock()  # a signal handler may load, too

    def find(self, config: Config, *paths: str | os.PathLike[str]) -> tuple[Hashable | None, E | None]:
        """A key for the present state of some files, None where one of them cannot be looked at, and the executable of
        that key, None where none is alive."""
        state = identity(*paths)
        if state is None:
            return None, None
        key = state, config.engine, config.validate_hash
        return key, self._known.get(_here(key))

    def keep(self, key: Hashable | None, executable: E) -> None:
        """Let later loads find ``executable``."""
        if key is not None:
            with self._guard:
                self._known.setdefault(_here(key), executable)

    def of(self, key: Hashable | None, make: Callable[[], E]) -> E:
        """The executable of ``key``, or what ``make`` makes."""
        if key is None:
            return make()
        with self._guard:
            executable = self._known.get(_here(key))
            if executable is None:
                executable = self._known[_here(key)] = make()
            return executable


def _here(key: Hashable) -> Hashable:
    """``key`` in this process: a forked child finds nothing of its parent's, whose threads it has not got."""
    return os.getpid(), key


def identity(*paths: str | os.PathLike[str]) -> tuple[object, ...] | None:
    """What tells this state of some files from another; None where one of them cannot be looked at."""
    try:
        states = [os.stat(path) for path in paths]
    except OSError:
        return None
    return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states)


def slices(batch: int, step: int) -> Iterator[tuple[int, int]]:
    """The first row of each slice of a batch, and how many of its ``step`` rows are the batch's. An empty batch has one
    slice, of no rows."""
    for first in range(0, max(batch, 1), step):
        yield first, max(0, min(step, batch - first))


class Opened(Protocol):
    """A form for an engine, opened in this process, as an adapter makes it."""

    deployment: Deployment

    def call(self, pool: RequestPool) -> Any:
        """Make a request of ``pool``, with its buffers."""


P = TypeVar("P", bound=Opened)


def open_form(
    framework: str, choice: str, recorded: tuple[str, str], source: str, open_with: Callable[[Engine], P]
) -> tuple[P | None, str]:
    """The form of a compiled model that travels in its file, None where ``framework`` computes, and the reason for
    either.

    ``choice``: NEURON_ADAPTERS_ENGINE. ``recorded``: engine and reason in the model's record. ``open_with``: opens the
    form, and raises ValueError or EngineError where it makes no sense. Raises NeuronConfigError where the engine is
    asked for and not installed.
    """
    if choice == "framework":
        return None, "NEURON_ADAPTERS_ENGINE=framework"
    engine = find_engine(choice)
    name, why = recorded
    if not name:
        return None, why
    if engine is None:
        return None, NOT_INSTALLED
    try:
        return open_with(engine), why
    except (ValueError, EngineError) as error:
        reason = one_line(error)
        log.warning("%s: its form for %s cannot be used, so %s runs it: %s", source, name, framework, reason)
        return None, f"its form for {name} cannot be used: {reason}"


def prepare(slots: Sequence[Slot], opened: Opened | None, why: str, framework: str | None) -> Computation | str:
    """Let the engine run a model on ``slots``: give each its requests, and return what computes it; or return why
    ``framework`` has to compute it.

    Without a ``framework`` only the engine can, so this raises EngineError where it cannot.
    """
    if opened is None:
        return why
    deployment = opened.deployment
    everywhere = all_cpus()
    stray = framework is not None and any(slot.cpus for slot in slots) and deployment.engine.why_not_tied()
    if stray:
        log.warning("%s: %s runs it: %s", slots[0].name, framework, stray)
        return stray
    try:
        cpu_sets = [
            CpuSet(
                slot.cpus or ("all" if slot.threads else slot.ncs),
                slot.cpus,
                deployment.threads(smt_cores(slot.cpus) if len(slot.cpus) > 1 else slot.threads or everywhere),
            )
            for slot in slots
        ]
        pools = deployment.pools(cpu_sets)
        for pool in pools:
            if not pool.idle:
                pool.idle.append(opened.call(pool))
    except EngineError as error:
        if framework is None:
            raise
        log.warning("%s: OpenVINO cannot load it, so %s runs it: %s", slots[0].name, framework, error)
        return f"the engine cannot load it: {error}"
    for slot, pool in zip(slots, pools):
        slot.pool = pool.share()
        if pool.threads == 1:
            slot.leave_to_caller()
    return Computation(deployment.engine.name, why, deployment.program.weights_bytes)


def all_cpus() -> int:
    """How many CPUs the calling thread may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
