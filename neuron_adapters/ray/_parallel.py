"""``neuron_adapters.ray.DataParallel``: a batch over the NeuronCores of many machines (SPEC M3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from neuron_adapters.adapter import parts
from neuron_adapters.ray._init import init
from neuron_adapters.ray._nodes import free_cores, restarts, room, wait_until_free, waiting
from neuron_adapters.ray._replica import Replica, ReplicaActor
from neuron_adapters.ray._wire import is_loss, original, sendable
from neuron_adapters.ray.offer import RESOURCE
from neuron_rt import NeuronConfigError, NotEnoughNeuronCoresError

log = logging.getLogger("neuron_adapters")

_CLOSED = "this DataParallel is closed: make another one"
_SAME = "Set NEURON_ADAPTERS_INSTANCE to the same value on every node, before ray start"
_COPY = "Copy the same file to every node; the numbers are checksums (CRC-32)"
_MOST_LOSSES = 8  # replicas that one part may lose before the model itself is to blame
_WARN_AFTER = 5.0, 60.0  # seconds: where there is no room for all replicas, and where there is
_MOST_RESTARTS = 3  # that a replica may have while it loads
_PAUSE = 0.02  # seconds between two looks for a replica, while there is none


class _Slot:
    """A replica as its callers see it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.alive = False
        self.jobs: weakref.WeakSet[_Job] = weakref.WeakSet()
        """The parts that it has not answered. One that is dropped, by whatever exception, is in it no more."""
        self.failure: BaseException | None = None
        """Why it never comes back."""


class _Job:
    """A part of a call on its way: ``slot`` has it and answers by ``ref``, or no replica has it."""

    def __init__(self, part: tuple[Any, Any]) -> None:
        self.part = part
        self.slot: _Slot | None = None
        self.ref: Any = None
        self.losses = 0


class _Loss:
    """What comes in place of an answer."""

    def __init__(self, error: RayError) -> None:
        """Raises what the model raised, where no replica was lost."""
        if not is_loss(error):
            raise original(error) from error
        self.error = error


#: What a call has to wait for next, a reference or some seconds; at last its result, in a tuple.
_Call = Generator[Any, Any, Any]


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
    different instances or have different files at that path, ImportError where a node has not this package.
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
        fits = room(neuron_cores, wait=num_replicas == "all")
        count = fits if isinstance(num_replicas, str) else num_replicas
        if not count:
            raise NotEnoughNeuronCoresError(waiting(1, neuron_cores), need=neuron_cores, start=None, visible=0)
        self._load = ray.put(load)  # for as long as a replica may start again
        actor = ray.remote(
            num_cpus=0, resources={RESOURCE: neuron_cores}, max_restarts=-1, scheduling_strategy="SPREAD"
        )(ReplicaActor)
        try:
            self._slots = [_Slot(actor.remote()) for _ in range(count)]
            self.replicas = self._started(_WARN_AFTER[count <= fits])
        except BaseException:
            self.close()
            raise

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Split, compute, join. What is not an array goes to every part.

        Raises what the model raises; ValueError for inputs that cannot be split, TypeError for outputs of several parts
        that cannot be joined.
        """
        with contextlib.closing(self._call(inputs, keywords)) as call:
            step = next(call)
            while not isinstance(step, tuple):
                try:
                    answer = ray.get(step) if isinstance(step, ray.ObjectRef) else time.sleep(step)  # type: ignore[func-returns-value]
                except RayError as error:
                    answer = _Loss(error)
                step = call.send(answer)
            return step[0]

    async def call_async(self, *inputs: Any, **keywords: Any) -> Any:
        """The same in an event loop."""
        with contextlib.closing(self._call(inputs, keywords)) as call:
            step = next(call)
            while not isinstance(step, tuple):
                try:
                    answer = await (step if isinstance(step, ray.ObjectRef) else asyncio.sleep(step))
                except RayError as error:
                    answer = _Loss(error)
                step = call.send(answer)
            return step[0]

    def close(self) -> None:
        """End the replicas, and wait some seconds at most until Ray counts their NeuronCores as free."""
        slots, self._slots = self._slots, []
        if not slots or not ray.is_initialized():
            return
        free = sum(free_cores().values()) + self._cores * sum(slot.alive for slot in slots)
        for slot in slots:
            slot.failure = slot.failure or RuntimeError(_CLOSED)
            ray.kill(slot.actor)
        wait_until_free(free)

    def __enter__(self) -> DataParallel:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- a call -------------------------------------------------------------------------------------------------------

    def _call(self, inputs: Any, keywords: Any) -> _Call:
        everything, dim = (inputs, keywords), self.dim
        size = parts.rows_of(everything, dim)
        step = self.split_size
        if step is not None and (not isinstance(step, int) or step < 1):
            raise ValueError(f"split_size is a number from 1, got {step!r}")
        step = step or max(1, (size or 1) // max(1, len(self._slots)))
        if size is None or size <= step:
            (result,) = yield from self._answers([_Job(everything)])
            yield (parts.own(result),)
            return
        rows = [min(step, size - first) for first in range(0, size, step)]
        jobs = [_Job(parts.piece(everything, dim, number * step, count)) for number, count in enumerate(rows)]
        results = yield from self._answers(jobs)
        try:
            yield (parts.join(results, rows, dim),)
        except parts.UndecidedError:
            rows.append(rows[0] - 1 or 2)
            witness = yield from self._answers([_Job(parts.piece(everything, dim, 0, rows[-1]))])
            yield (parts.join(results, rows, dim, witness),)

    def _answers(self, jobs: list[_Job]) -> _Call:
        """Send all parts, and return what their replicas answer."""
        try:
            for job in jobs:
                self._send(job)
            results = []
            for job in jobs:
                results.append((yield from self._answer(job, jobs)))  # noqa: PERF401 - a comprehension cannot yield
            return results
        finally:
            for job in jobs:
                if self._leave(job) is not None and job.ref is not None and ray.is_initialized():
                    # Another part has raised, or the user has interrupted. What was sent is computed (ray.cancel would
                    # not change that, whatever it says), and Ray would log what it raises.
                    job.ref.future().add_done_callback(lambda answer: answer.exception())

    def _answer(self, job: _Job, jobs: list[_Job]) -> _Call:
        end: float | None = time.monotonic() + _WARN_AFTER[0]
        while True:
            if job.slot is not None or self._send(job):
                answer = yield job.ref
                slot = self._leave(job)
                if not isinstance(answer, _Loss):
                    return answer
                self._lost(job, slot, answer.error)
                # What waited for the same replica is lost, too: send it on now, and not when its turn comes.
                for other in jobs:
                    if other.slot is slot and _is_lost(other.ref):
                        self._leave(other)
                        self._send(other)
                end = time.monotonic() + _WARN_AFTER[0]
                continue
            yield _PAUSE
            if end is not None and time.monotonic() > end:
                end = None
                warnings.warn(waiting(len(self._slots), self._cores), RuntimeWarning, stacklevel=5)

    def _send(self, job: _Job) -> bool:
        """Give the part to the replica that has the fewest; False where none is alive at the moment."""
        with self._lock:
            if not self._slots:
                raise RuntimeError(_CLOSED)
            alive = [slot for slot in self._slots if slot.alive]
            if not alive:
                failures = [slot.failure for slot in self._slots if slot.failure is not None]
                if len(failures) == len(self._slots):
                    raise failures[0]
                return False
            job.slot = slot = min(alive, key=lambda slot: len(slot.jobs))
            slot.jobs.add(job)
        job.ref = slot.actor.run.remote(*sendable(job.part))
        return True

    def _leave(self, job: _Job) -> _Slot | None:
        slot, job.slot = job.slot, None
        if slot is not None:
            with self._lock:
                slot.jobs.discard(job)
        return slot

    # -- replicas -----------------------------------------------------------------------------------------------------

    def _lost(self, job: _Job, slot: _Slot | None, error: RayError) -> None:
        """The part has no answer, and is to be sent again; its replica comes back where Ray has room for it."""
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
        slot.actor.place.remote([self._load]).future().add_done_callback(partial(_is_back, slot))

    def _started(self, warn_after: float) -> tuple[Replica, ...]:
        """Wait until all replicas have loaded. Returns where they are."""
        actors = [slot.actor for slot in self._slots]
        processes = _all(
            [actor.where.remote() for actor in actors],
            warn_after,
            lambda late: waiting(len(late), self._cores),
        )
        for slot in self._slots:
            slot.alive = True

        def look(late: list[int]) -> None:
            if any(restarts(processes[number].actor_id) > _MOST_RESTARTS for number in late):
                raise RuntimeError(
                    f"a replica was started {_MOST_RESTARTS + 1} times again while it loaded the model, which seems to "
                    "end its process"
                )

        replicas = _all(
            [actor.place.remote([self._load]) for actor in actors],
            _WARN_AFTER[1],
            lambda late: (
                f"{len(late)} replica(s) have been loading the model for more than {_WARN_AFTER[1]:.0f} s: process "
                f"{', '.join(f'{processes[number].pid} on {processes[number].node}' for number in late)}"
            ),
            look,
        )
        for values, what, advice in (
            ({replica.instance: replica.node for replica in replicas}, "the nodes emulate different instances", _SAME),
            ({replica.checksum: replica.node for replica in replicas}, "the model's file differs between nodes", _COPY),
        ):
            if len(values) > 1:
                seen = ", ".join(f"{value} on {node}" for value, node in sorted(values.items()))
                raise NeuronConfigError(f"{what}: {seen}. Replicas would not be alike. {advice}")
        return tuple(replicas)


def _all(
    refs: list[Any],
    seconds: float,
    late: Callable[[list[int]], str],
    look: Callable[[list[int]], object] = id,
) -> list[Any]:
    """What all replicas answer; raises what the first one raises. After ``seconds`` it warns of those that are late, by
    their numbers, and every second ``look`` sees them."""
    pending, end = refs, time.monotonic() + seconds
    while pending:
        done, pending = ray.wait(pending, timeout=1)
        try:
            ray.get(done)
        except RayError as error:
            raise original(error) from error
        if not done:
            left = set(pending)
            numbers = [number for number, ref in enumerate(refs) if ref in left]
            look(numbers)
            if time.monotonic() > end:
                warnings.warn(late(numbers), RuntimeWarning, stacklevel=4)
                end = math.inf
    answers: list[Any] = ray.get(refs)
    return answers


def _is_lost(ref: Any) -> bool:
    """Whether that answer is known to be lost by now."""
    if ray.wait([ref], timeout=0)[0]:
        try:
            ray.get(ref)
        except RayError as error:
            return is_loss(error)
    return False


def _is_back(slot: _Slot, answer: Any) -> None:
    """Ray has restarted a replica, or cannot."""
    error = answer.exception()
    slot.alive = error is None
    if error is not None and slot.failure is None:
        slot.failure = original(error)
        log.warning("a replica was lost, and does not come back: %s: %s", type(slot.failure).__name__, slot.failure)
