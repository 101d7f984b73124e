"""The process's one runtime: it owns NCs, places models on them and keeps the table of use (SPEC C6, P).

>>> import neuron_rt
>>> runtime = neuron_rt.init()          # or nothing: the first load does it
>>> runtime.instance_ncs
(0, 1, 2, 3)
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from neuron_rt import lifecycle, placement, recording
from neuron_rt.config import Config
from neuron_rt.core_locks import CoreLocks
from neuron_rt.errors import ModelNotLoadedError, NeuronConfigError
from neuron_rt.execution import Framework, Slot
from neuron_rt.instance import cpus_of_process
from neuron_rt.lifecycle import Step
from neuron_rt.locks import LOCK_NAME, LockFileClosedError
from neuron_rt.ownership import Ownership, acquire, command_line
from neuron_rt.placement import CoreRange
from neuron_rt.telemetry import Board
from neuron_rt.undo import Mutex, Undo, dropped
from neuron_rt.usage import ANYWHERE, Allocation, PlacementRequest, Usage
from neuron_rt.version import __version__

log = logging.getLogger("neuron_rt")

R = TypeVar("R")

_MOST_PUBLISHED = 256  # models named in the owner's record
_PUBLISH_EVERY = 0.05  # seconds, at most so often
_PUBLISH_AFTER = 0.005  # seconds: models that are loaded together are told together


class Computation(NamedTuple):
    """What computes a model, the reason, and the bytes of its weights."""

    engine: str
    why: str = "not compiled"
    weights: int = 0


class Placed(NamedTuple):
    """Where a model is, and what computes it there. Its place is free again when this is dropped."""

    slots: tuple[Slot, ...]
    allocation: Allocation
    listed: Undo
    computation: Computation | None


Prepare = Callable[["tuple[Slot, ...]"], Computation]
"""Makes a model ready on its slots, before they are its own; what it raises undoes the placement."""


class Model:
    """A model of a framework as the runtime knows it: what it is, and what it needs.

    Where it is, and what computes it there, is set by ``Runtime.place`` alone. It gives its place back when it is
    released or no longer referenced (P6).
    """

    def __init__(
        self,
        name: str,
        nc_count: int,
        framework: Framework,
        *,
        kind: str,
        file: str = "",
        why: str = "not compiled",
        weights: int = 0,
        prepare: Prepare | None = None,
    ) -> None:
        """``nc_count``: NCs one replica needs. ``kind``: the framework's name, for people. ``file``: its source.
        ``why``, ``weights``: why the framework computes it, and the bytes of its weights, where ``prepare`` does not
        say."""
        self.name = name
        self.nc_count = nc_count
        self.framework = framework
        self.kind = kind
        self.file = file
        self.number = 0
        """Its place in the order of loading, from 1; 0 until then."""
        self.slot: Slot | None = None
        """The only replica's slot: the hot path's short cut."""
        self._computation = Computation(kind, why, weights)
        self._prepare = prepare
        self._placed: Placed | None = None
        self._place: Callable[[Model], object] | None = None
        self._gone = ""
        self._by_thread = False
        self._home = threading.local()
        self._turn = itertools.count()

    # -- before it is placed ------------------------------------------------------------------------------------

    def prepare_with(self, prepare: Prepare) -> None:
        """Make it ready with ``prepare`` from now on, and at once where it is placed."""
        slots = self.slots
        if slots:
            prepare(slots)
        self._prepare = prepare

    def place_with(self, place: Callable[[Model], object]) -> None:
        """Let ``place`` place it at its first call."""
        self._place = place

    def explain(self, why: str) -> None:
        """Say why the framework computes it."""
        self._computation = self._computation._replace(why=why)

    # -- where it is --------------------------------------------------------------------------------------------

    @property
    def allocation(self) -> Allocation | None:
        """Its NCs in the usage of the process; None where it is not placed."""
        return None if self._placed is None else self._placed.allocation

    @property
    def computation(self) -> Computation:
        """What computes it."""
        placed = self._placed
        return (placed and placed.computation) or self._computation

    @property
    def engine(self) -> str:
        """The name of what computes it: a framework's or an engine's."""
        return self.computation.engine

    @property
    def why(self) -> str:
        """Why that and no other."""
        return self.computation.why

    @property
    def weights(self) -> int:
        """Bytes of its weights, where the adapter knows."""
        return self.computation.weights

    @property
    def slots(self) -> tuple[Slot, ...]:
        """One for each replica; empty where the model is not placed."""
        placed = self._placed
        return () if placed is None else placed.slots

    def pick(self) -> Slot:
        """The slot whose turn it is (R1), or the calling thread's. Raises ModelNotLoadedError where there is none."""
        slots = self.slots
        if slots:
            if self._by_thread:
                return self._of_thread(slots)
            return slots[next(self._turn) % len(slots)]
        if self._place is not None:
            self._place(self)
            return self.pick()
        raise ModelNotLoadedError(f"{self.name} holds no NeuronCores: {self._gone or 'it was never placed'}.")

    def _of_thread(self, slots: tuple[Slot, ...]) -> Slot:
        """The thread's own replica, which keeps it on one CPU; another where that is busy (R4)."""
        try:
            own: int = self._home.index
        except AttributeError:
            own = self._home.index = next(self._turn)
        own %= len(slots)
        return next(filter(Slot.idle, slots[own:] + slots[:own]), slots[own])

    def run(self, fn: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Call ``fn`` on the model's NCs, replicas in turn."""
        return (self.slot or self.pick()).run(fn, args, kwargs)

    @property
    def placement(self) -> tuple[CoreRange, ...]:
        """One CoreRange a replica; empty where the model is not placed (SPEC P7)."""
        return tuple(slot.core_range for slot in self.slots)

    def release(self, why: str = "it was unloaded; load it again") -> None:
        """Free the model's place (SPEC P6). A call that is running goes on to its end."""
        self._gone, self._place = why, None
        self.slot = None
        self._placed = None  # last: until here it is where it was

    def prepared(self, slots: tuple[Slot, ...]) -> Computation | None:
        """Make ready on ``slots``; what computes it there, None where only the framework can. For the runtime."""
        return None if self._prepare is None else self._prepare(slots)

    def settle(self, placed: Placed, *, by_thread: bool) -> None:
        """Be at ``placed`` from now on; ``by_thread``: replicas are shared out among threads, not among calls. For the
        runtime."""
        self.slot = None
        self._place, self._gone = None, ""
        self._by_thread = by_thread
        self._placed = placed
        if len(placed.slots) == 1:
            self.slot = placed.slots[0]

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, _memo: object) -> Model:
        return self


class Runtime:
    """What ``neuron_rt.init`` returns: the only one of its process, until it is closed (SPEC C6)."""

    def __init__(self, config: Config, ownership: Ownership) -> None:
        self.config = config
        self.instance_ncs: tuple[int, ...] = ownership.ncs
        self.timeline: recording.Timeline | None = None
        """That of NEURON_ADAPTERS_TRACE."""
        self._ownership = ownership
        self._lock = Mutex()  # a signal handler may load a model
        self._lanes = CoreLocks(len(ownership.ncs))
        self._board = Board(len(ownership.ncs), ownership.board_file())
        self._usage = Usage(ownership.ncs, config.groups)
        self._models: dict[int, weakref.ref[Model]] = {}
        """Placed models in order of placing. Each leaves with its place."""
        self._places = itertools.count()
        self._numbers = itertools.count(1)
        self._warned: set[str] = set()
        self._since = time.time()
        self._published = 0.0
        self._publisher: threading.Timer | None = None
        self._machine, self._cpus = self._map_cpus()
        self._write_record()

    @property
    def closed(self) -> str:
        """Why this runtime owns no NCs any more; empty while it does."""
        return self._lanes.closed or ("" if self._ownership.held else "it was closed")

    # -- placement ----------------------------------------------------------------------------------------------

    def place(self, model: Model, where: PlacementRequest = ANYWHERE) -> tuple[CoreRange, ...]:
        """Give ``model`` its NCs (SPEC P1-P4, R1); a model that has some moves.

        Raises NotEnoughNeuronCoresError where it does not fit (then it keeps what it had), ModelNotLoadedError where
        this runtime is closed.
        """
        if self.closed:
            raise ModelNotLoadedError(f"{model.name} cannot be placed: {self.closed}.")
        self._warn_of_changes()
        return (self._lock.hold(), self._place(model, where))[1]

    def _place(self, model: Model, where: PlacementRequest) -> tuple[CoreRange, ...]:
        """With the lock held. The model gets everything in the last step; until then an exception drops it."""
        # What the model itself takes now does not count.
        allocation, said = self._usage.choose(model.nc_count, where, model.allocation)
        if said:
            warnings.warn(said, UserWarning, stacklevel=4)
        model.number = model.number or next(self._numbers)
        slots = tuple(
            Slot(
                self._lanes, core_range, self._cpus_of(core_range), model.framework, model.number,
                machine=self._machine, timeout=self.config.timeout,
                row=self._board.row(model.number, replica, core_range.ncs), name=model.name,
            )
            for replica, core_range in enumerate(allocation.ranges)
        )  # fmt: skip
        computation = model.prepared(slots)
        if log.isEnabledFor(logging.DEBUG):
            ncs = ", ".join(map(str, allocation.ranges))
            engine = model.kind if computation is None else computation.engine
            about = {"event": "placed", "model": model.name, "ncs": ncs, "engine": engine}
            log.debug("%s placed on %s", model.name, ncs, extra=about)
        self._publish()
        place = next(self._places)
        listed = Undo(self._models.pop, place, None)
        self._models[place] = weakref.ref(model)
        self._usage.add(allocation)
        model.settle(Placed(slots, allocation, listed, computation), by_thread=where.copies is not None)
        return allocation.ranges

    def models(self) -> tuple[Model, ...]:
        """The models that are placed, in order of loading."""
        return tuple(sorted(self._placed_models(), key=lambda model: model.number))

    def use(self) -> tuple[int, ...]:
        """Models on each visible NC."""
        return tuple(self._usage.use)

    def cpus(self, nc: int) -> frozenset[int]:
        """The CPUs behind a visible NC; empty where nothing is pinned (SPEC I3, I4)."""
        return self._cpus[nc]

    def close(self) -> None:
        """Give all NCs back (SPEC O1), once. Models that were placed say so when they are called."""
        self._close("its runtime was closed; neuron_rt.init() starts another one, load it again")
        if self.timeline is not None:
            recording.stop(self.timeline)
        self._board.close()
        self._ownership.release()

    # -- internals ----------------------------------------------------------------------------------------------

    def _map_cpus(self) -> tuple[frozenset[int], tuple[frozenset[int], ...]]:
        """All CPUs this process may use, and those behind each visible NC (SPEC I1)."""
        none = frozenset[int]()
        if not self.config.affinity:
            return none, (none,) * len(self.instance_ncs)
        # The main thread's mask is the process's own; the calling thread may be tied down for other reasons.
        mask = frozenset(os.sched_getaffinity(os.getpid()))
        return mask, cpus_of_process(self.instance_ncs, self.config.instance.nc_count, self.config.cpus, mask)

    def _cpus_of(self, core_range: CoreRange) -> frozenset[int]:
        return frozenset().union(*(self._cpus[nc] for nc in core_range.ncs))

    def _warn_of_changes(self) -> None:
        """C1: a later change has no effect; say so once a variable."""
        for name, (read, now) in self.config.changes().items():
            if name not in self._warned:
                self._warned.add(name)
                warnings.warn(
                    f"{name} was {read!r} when the Neuron runtime started and is {now!r} now: the change has no "
                    "effect. Set it before the first model is loaded, or restart the process",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _publish(self) -> None:
        """Write the record in a moment, with all that comes until then."""
        if self._publisher is None or not self._publisher.is_alive():
            wait = max(_PUBLISH_AFTER, self._published + _PUBLISH_EVERY - time.monotonic())
            timer = threading.Timer(wait, self._write_record)
            timer.daemon = True
            self._publisher = timer
            with contextlib.suppress(RuntimeError):  # the interpreter is on its way out
                timer.start()

    def _write_record(self) -> None:
        self._publisher, self._published = None, time.monotonic()
        if self.closed:
            return
        if "lock file" not in self._warned and not self._ownership.is_current():
            self._warned.add("lock file")
            log.error(
                "%s was removed or replaced while this process owns %s: other processes may take the same NeuronCores. "
                "Restart this one, and see that only the administrator can remove the file (neuron-adapters share)",
                self.config.state_dir / LOCK_NAME, placement.listed(self.instance_ncs), extra={"event": "lock file"},
            )  # fmt: skip
        self._ownership.publish(
            {
                "pid": os.getpid(),
                "command": command_line(),
                "tag": self.config.tag,
                "since": self._since,
                "instance": self.config.instance.name,
                "groups": [group.size for group in self.config.groups],
                "config": {name: value[:200] for name, value in self.config.environ.items()},
                "runtime_version": __version__,
                "models": [
                    {
                        "number": model.number,
                        "name": model.name[:200],
                        "file": model.file[:1000],
                        "framework": model.kind,
                        "engine": model.engine,
                        "nc_count": model.nc_count,
                        "weights": model.weights,
                        "replicas": [list(core_range.instance_ncs) for core_range in model.placement],
                    }
                    for model in itertools.islice(self._placed_models(), _MOST_PUBLISHED)
                ],
            }
        )

    def _placed_models(self) -> Iterator[Model]:
        for reference in list(self._models.values()):
            model = reference()
            if model is not None and model.slots:
                yield model

    def _quiet(self) -> None:
        """Publish no more."""
        if self._publisher is not None:
            self._publisher.cancel()

    def _close(self, why: str) -> None:
        self._lanes.close(why)  # first, and at once: from here on no call begins
        self._quiet()
        for model in self.models():
            model.release(why)
            model.number = 0  # the next runtime counts anew


_runtime: Runtime | None = None
_guard = Mutex()
_pending: list[list[Undo]] = []
"""What a runtime that is starting has open. Emptied, and so given back, unless its start comes to its end."""
_starts = 0
"""Starts so far."""


def init() -> Runtime:
    """Start this process's runtime and return it; the same one at each call (SPEC C6).

    Reads the environment and takes the NCs at the first call. Raises NeuronConfigError,
    NeuronCoresNotAvailableError or StateDirectoryError; then nothing was taken and the next call tries again.
    """
    runtime = _runtime
    return runtime if runtime is not None and not runtime.closed else (_guard.hold(), _init())[1]


def _init() -> Runtime:
    """With the guard held. A signal handler may come here out of a start in the same thread: it takes over, and the
    start that it interrupted returns its runtime."""
    global _starts
    while _runtime is None or _runtime.closed:
        if _runtime is not None:
            _runtime.close()  # where that was interrupted
        for held in _pending:
            held.clear()
        _pending.clear()
        mine = _starts = _starts + 1
        config = Config.read()
        config.warn_of_use()
        if config.log_level is not None or config.log_location is not None:
            from neuron_rt import logs

            logs.configure(config.log_level, config.log_location)
        try:
            return (dropped(_pending), _start(config))[1]
        except Exception:
            if mine == _starts:
                raise
    return _runtime


def _start(config: Config) -> Runtime:
    """Start the process's runtime: it is the process's from the last step on, and closed until then."""
    global _runtime
    timeline = None
    if config.trace is not None:
        try:
            timeline = recording.start(str(config.trace))
        except OSError as error:
            raise NeuronConfigError.of(
                "NEURON_ADAPTERS_TRACE", str(config.trace), f"cannot be written to ({error.strerror})",
                "the path of a file in a directory that exists",
            ) from error  # fmt: skip
    try:
        runtime = Runtime(config, acquire(config, _pending))
        runtime.timeline = timeline
        if runtime.closed or current() is not None:  # another start took over
            raise LockFileClosedError(str(config.state_dir))
    except BaseException:
        if timeline is not None:
            recording.stop(timeline)
        raise
    ncs = placement.listed(runtime.instance_ncs)
    log.info("this process owns %s of %s", ncs, config.instance.name, extra={"event": "started", "ncs": ncs})
    _runtime = runtime
    _pending.clear()
    return runtime


def current() -> Runtime | None:
    """This process's runtime where it has started; takes nothing."""
    return None if _runtime is None or _runtime.closed else _runtime


def _at_exit() -> None:
    # The locks and the record go with the process: a later exit handler may still call a model (X4), or take its time.
    if _runtime is not None and not _runtime.closed:
        _runtime._quiet()  # noqa: SLF001


def _in_child() -> None:
    """O4: a forked child owns nothing and keeps nothing of its parent's alive."""
    global _runtime, _guard, _starts
    _guard = Mutex()
    _pending.clear()
    _starts += 1  # a start that was under way in this thread begins anew
    if _runtime is not None:
        runtime, _runtime = _runtime, None
        runtime._publisher = None  # noqa: SLF001
        runtime._board.detach()  # noqa: SLF001 - first: what ends now must not be counted there
        runtime._close("it was loaded in the parent process; load it again in this one, after the fork")  # noqa: SLF001


lifecycle.at_exit(Step.RUNTIME, _at_exit)
lifecycle.in_child(Step.RUNTIME, _in_child)
