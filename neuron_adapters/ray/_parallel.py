"""``neuron_adapters.ray.DataParallel``: a batch over the NeuronCores of many machines (SPEC M3)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import ray
from ray import exceptions as lost

from neuron_adapters.adapter import parts
from neuron_adapters.ray._init import init
from neuron_adapters.ray._nodes import free_cores, waiting
from neuron_adapters.ray._replica import Replica, ReplicaActor
from neuron_adapters.ray.offer import RESOURCE
from neuron_rt import NeuronConfigError, NotEnoughNeuronCoresError

#: What Ray raises where a replica, its worker or its node is gone, or an answer with them.
LOST = (
    lost.RayActorError, lost.WorkerCrashedError, lost.NodeDiedError, lost.OutOfMemoryError, lost.ObjectLostError,
    lost.ObjectFetchTimedOutError,
)  # fmt: skip
_MOST_LOSSES = 8  # replicas that one part may lose before the model itself is to blame
_WARN_AFTER = 5.0, 60.0  # seconds: where there is no room for all replicas, and where there is
_PAUSE = 0.02  # seconds between two looks for a replica, while there is none


class _Slot:
    """A replica as its callers see it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.alive = True
        self.waiting = 0
        """Parts that it has not answered."""
        self.failure: BaseException | None = None
        """Why it never comes back."""


class _Job:
    """A part of a call on its way: ``slot`` has it and answers by ``ref``, or no replica has it."""

    def __init__(self, part: tuple[Any, Any]) -> None:
        self.part = part
        self.slot: _Slot | None = None
        self.ref: Any = None
        self.losses = 0


class DataParallel:
    """Run a model on NeuronCores of several machines, each replica on its part of a batch.

    ``load``: the path of a file that is on every node, or a function that returns a callable; each replica calls it
    once, and what it holds (weights) is sent to each node once. ``neuron_cores``: of one replica. ``num_replicas``: a
    number, or "all" for as many as there are free NeuronCores for. ``dim``: the dimension of every array of the inputs
    and outputs that is split and joined.

    ``split_size``: rows of a part, unless set ``max(1, rows // replicas)``; what is left over is one more part.
    ``replicas``: where each replica was when all had started.

    A part whose replica is lost is computed by another one; the lost one starts again where there is room. An exception
    of the model reaches the caller as itself, with the replica's traceback as its cause. Calls from several threads,
    and ``call_async`` from several tasks, run side by side. The NeuronCores are free once the object is dropped or
    closed.

    Raises what ``load`` raises; NotEnoughNeuronCoresError where no replica fits, NeuronConfigError where nodes emulate
    different instances, ImportError where a node has not this package.
    """

    def __init__(self, load: Any, neuron_cores: int = 1, num_replicas: int | str = "all", dim: int = 0) -> None:
        if not isinstance(neuron_cores, int) or isinstance(neuron_cores, bool) or neuron_cores < 1:
            raise ValueError(f"neuron_cores is a number of NeuronCores from 1, got {neuron_cores!r}")
        if num_replicas != "all" and (not isinstance(num_replicas, int) or num_replicas < 1):
            raise ValueError(f"num_replicas is a number from 1 or 'all', got {num_replicas!r}")
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ValueError(f"dim is a number, got {dim!r}")
        if not ray.is_initialized():
            init()
        self.dim = dim
        self.split_size: int | None = None
        self._cores = neuron_cores
        self._lock = threading.Lock()
        self._slots: list[_Slot] = []
        room = sum(free // neuron_cores for free in free_cores().values())
        count = room if isinstance(num_replicas, str) else num_replicas
        if not count:
            raise NotEnoughNeuronCoresError(waiting(1, neuron_cores), need=neuron_cores, start=None, visible=0)
        self._load = ray.put(load)  # for as long as a replica may start again
        actor = ray.remote(
            num_cpus=0, resources={RESOURCE: neuron_cores}, max_restarts=-1, scheduling_strategy="SPREAD"
        )(ReplicaActor)
        try:
            self._slots = [_Slot(actor.remote([self._load])) for _ in range(count)]
            self.replicas = self._started(_WARN_AFTER[count <= room])
        except BaseException:
            self.close()
            raise

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Split, compute, join. What is not an array goes to every part.

        Raises what the model raises; ValueError for inputs that cannot be split, TypeError for outputs of several parts
        that cannot be joined.
        """
        call = self._call(inputs, keywords)
        job = next(call)
        while isinstance(job, _Job):
            job = call.send(self._receive(job))
        return job[0]

    async def call_async(self, *inputs: Any, **keywords: Any) -> Any:
        """The same in an event loop."""
        call = self._call(inputs, keywords)
        job = next(call)
        while isinstance(job, _Job):
            job = call.send(await self._await(job))
        return job[0]

    def close(self) -> None:
        """End the replicas. Their NeuronCores are free."""
        slots, self._slots = self._slots, []
        for slot in slots if ray.is_initialized() else ():
            ray.kill(slot.actor)

    def __enter__(self) -> DataParallel:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- a call -------------------------------------------------------------------------------------------------------

    def _call(self, inputs: Any, keywords: Any) -> Generator[_Job | tuple[Any], Any, None]:
        """Yield each part's job, to be sent its answer, and then the result in a tuple."""
        everything, dim = (inputs, keywords), self.dim
        size = parts.rows_of(everything, dim)
        step = self.split_size
        if step is not None and (not isinstance(step, int) or step < 1):
            raise ValueError(f"split_size is a number from 1, got {step!r}")
        step = step or max(1, (size or 1) // max(1, len(self._slots)))
        if size is None or size <= step:
            job = _Job(everything)
            self._send(job)
            yield (parts.own((yield job)),)
            return
        rows = [min(step, size - first) for first in range(0, size, step)]
        jobs = [_Job(parts.piece(everything, dim, number * step, count)) for number, count in enumerate(rows)]
        results = []
        try:
            for job in jobs:
                self._send(job)
            for job in jobs:
                results.append((yield job))  # noqa: PERF401 - a comprehension cannot yield
        finally:
            for job in jobs:
                # Another part has raised, or the user has interrupted; Ray would log this one's error, too.
                if self._leave(job) is not None and job.ref is not None:
                    job.ref.future().add_done_callback(concurrent.futures.Future.exception)
        try:
            yield (parts.join(results, rows, dim),)
        except parts.UndecidedError:
            rows.append(rows[0] - 1 or 2)
            witness = yield _Job(parts.piece(everything, dim, 0, rows[-1]))
            yield (parts.join(results, rows, dim, [witness]),)

    def _receive(self, job: _Job) -> Any:
        for delay in self._delays():
            if job.slot is None and not self._send(job):
                time.sleep(delay)
                continue
            try:
                return (ray.get(job.ref), self._leave(job))[0]
            except lost.RayError as error:
                self._failed(job, error)
        raise AssertionError  # the delays never end

    async def _await(self, job: _Job) -> Any:
        for delay in self._delays():
            if job.slot is None and not self._send(job):
                await asyncio.sleep(delay)
                continue
            try:
                return (await job.ref, self._leave(job))[0]
            except lost.RayError as error:
                self._failed(job, error)
        raise AssertionError  # the delays never end

    def _delays(self) -> Iterator[float]:
        """How long to wait between two looks for a replica; says after some seconds that there is none."""
        began = time.monotonic()
        warned = False
        while True:
            yield _PAUSE
            if not warned and time.monotonic() - began > _WARN_AFTER[0] and not any(slot.alive for slot in self._slots):
                warned = True
                warnings.warn(waiting(len(self._slots), self._cores), RuntimeWarning, stacklevel=4)

    def _send(self, job: _Job) -> bool:
        """Give the part to the replica that has the fewest; False where none is alive at the moment."""
        with self._lock:
            if not self._slots:
                raise RuntimeError("this DataParallel is closed: make another one")
            alive = [slot for slot in self._slots if slot.alive]
            if not alive:
                failures = [slot.failure for slot in self._slots if slot.failure is not None]
                if len(failures) == len(self._slots):
                    raise failures[0]
                return False
            job.slot = slot = min(alive, key=lambda slot: slot.waiting)
            slot.waiting += 1
        job.ref = slot.actor.run.remote(*job.part)
        return True

    def _leave(self, job: _Job) -> _Slot | None:
        slot, job.slot = job.slot, None
        if slot is not None:
            with self._lock:
                slot.waiting -= 1
        return slot

    # -- replicas -----------------------------------------------------------------------------------------------------

    def _failed(self, job: _Job, error: lost.RayError) -> None:
        """The part has no answer: raise what the model raised, or leave the part to be sent again."""
        slot = self._leave(job)
        if not isinstance(error, LOST):
            raise _original(error) from error
        job.losses += 1
        if job.losses == _MOST_LOSSES:
            raise RuntimeError(
                f"{_MOST_LOSSES} replicas were lost, one after the other, while they had the same part of a batch: the "
                "model seems to end its process"
            ) from error
        with self._lock:
            if slot is None or not slot.alive:
                return
            slot.alive = False
        slot.actor.place.remote().future().add_done_callback(partial(_is_back, slot))

    def _started(self, warn_after: float | None) -> tuple[Replica, ...]:
        """Wait until all replicas have loaded. Returns where they are."""
        refs = [slot.actor.place.remote() for slot in self._slots]
        pending, places = refs, {}
        while pending:
            done, pending = ray.wait(pending, timeout=warn_after)
            for ref in done:
                try:
                    places[ref] = ray.get(ref)
                except lost.RayError as error:  # noqa: PERF203
                    raise _original(error) from error
            if not done and warn_after:
                warnings.warn(waiting(len(pending), self._cores), RuntimeWarning, stacklevel=3)
                warn_after = None
        replicas = tuple(places[ref] for ref in refs)
        instances = {replica.instance: replica.node for replica in replicas}
        if len(instances) > 1:
            seen = ", ".join(f"{name} on {node}" for name, node in sorted(instances.items()))
            raise NeuronConfigError(
                f"the nodes emulate different instances: {seen}. Replicas would not be alike. Set "
                "NEURON_ADAPTERS_INSTANCE to the same value on every node, before ray start"
            )
        return replicas


def _is_back(slot: _Slot, answer: Any) -> None:
    """Ray has restarted a replica, or cannot."""
    error = answer.exception()
    slot.failure = None if error is None else _original(error)
    slot.alive = error is None


def _original(error: BaseException) -> BaseException:
    """What the model raised; Ray's own error where that could not be sent."""
    if isinstance(error, lost.RayTaskError) and isinstance(error.cause, Exception):
        return error.cause
    if isinstance(error, lost.RayActorError) and "No module named 'neuron_adapters" in str(error):
        return ImportError(
            "a node has not the package neuron_adapters, or another version of it: pip install 'neuron-adapters[ray]' "
            "there, as on every node of the cluster"
        )
    return error
