"""``neuron_adapters.ray.DataParallel``: a batch over the NeuronCores of many machines (SPEC M3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from neuron_adapters.adapter import parts
from neuron_adapters.ray._init import init
from neuron_adapters.ray._nodes import free_cores, has_process, restarts, room, wait_until_free, waiting
from neuron_adapters.ray._replica import Replica, ReplicaActor
from neuron_adapters.ray._wire import arguments, checked
from neuron_adapters.ray.offer import RESOURCE
from neuron_rt import NeuronConfigError, NotEnoughNeuronCoresError

log = logging.getLogger("neuron_adapters")

_CLOSED = "this DataParallel is closed: make another one"
_SAME = "Set NEURON_ADAPTERS_INSTANCE to the same value on every node, before ray start"
_COPY = "Copy the same file to every node; the numbers are checksums (CRC-32)"
_MOST_LOSSES = 8  # replicas that one part may lose before the model itself is to blame
_WARN_AFTER = 5.0, 60.0  # seconds: where there is no room for all replicas, and where there is
_GIVE_WAY_AFTER = 20.0  # seconds without a new replica, while others hold the NeuronCores of those that are missing
_ASK_AFTER = 10.0  # seconds that a part has been with a replica, which then has to say how it is getting on,
_SILENCE = 30.0  # and within so many seconds
_MOST_RESTARTS = 3  # that a replica may have while it loads
_PAUSE = 0.02  # seconds between two looks for a replica, while there is none


@dataclass(eq=False)
class _Slot:
    """A replica as its callers see it."""

    actor: Any
    alive: bool = False
    ended: bool = False
    """Whether a caller has ended its process because it hung."""
    failure: BaseException | None = None
    """Why it never comes back."""
    jobs: weakref.WeakSet[_Job] = field(default_factory=weakref.WeakSet)
    """The parts that it has not answered. One that is dropped, by whatever exception, is in it no more."""


@dataclass(eq=False)
class _Job:
    """A part of a call on its way: ``slot`` has it and answers by ``ref``, or no replica has it."""

    part: tuple[Any, Any]
    slot: _Slot | None = None
    ref: Any = None
    losses: int = 0


#: A call asks for an answer, by its reference, within some seconds, or for a pause; at last it returns.
_Call = Generator[tuple[Any, float], Any, Any]


class DataParallel:
    """Run a model on NeuronCores of several machines, each replica on its part of a batch.

    ``load``: the path of a file that is on every node, or a function that returns a callable; each replica calls it
    once, and what it holds (weights) is sent to each node once. ``neuron_cores``: of one replica. ``num_replicas``: a
    number, or "all" for as many as there are free NeuronCores for. ``dim``: the dimension of every array of the inputs
    and outputs that is split and joined. ``timeout_s``: the most seconds that a replica may compute one part; None: any
    time.

    ``split_size``: rows of a part, unless set ``max(1, rows // replicas)``; what is left over is one more part.
    ``replicas``: where each replica was when all had started.

    A part whose replica is lost is computed by another one; the lost one starts again where there is room. So is a part
    whose replica takes longer than ``timeout_s``, or does not react for half a minute: its process is ended. An
    exception of the model reaches the caller as itself, with the replica's traceback as its cause. Calls from several
    threads, and ``call_async`` from several tasks, run side by side. The NeuronCores are free once the object is
    dropped or closed.

    Raises what ``load`` raises; NotEnoughNeuronCoresError where no replica fits, NeuronConfigError where nodes emulate
    different instances or have different files at that path, ImportError where a node has not this package.
    """

    def __init__(
        self,
        load: Any,
        neuron_cores: int = 1,
        num_replicas: int | str = "all",
        dim: int = 0,
        timeout_s: float | None = None,
    ) -> None:
        if not isinstance(neuron_cores, int) or isinstance(neuron_cores, bool) or neuron_cores < 1:
            raise ValueError(f"neuron_cores is a number of NeuronCores from 1, got {neuron_cores!r}")
        if num_replicas != "all" and (
            not isinstance(num_replicas, int) or isinstance(num_replicas, bool) or num_replicas < 1
        ):
            raise ValueError(f"num_replicas is a number from 1 or 'all', got {num_replicas!r}")
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ValueError(f"dim is a number, got {dim!r}")
        if timeout_s is not None and (
            not isinstance(timeout_s, (int, float)) or isinstance(timeout_s, bool) or not timeout_s > 0
        ):
            raise ValueError(f"timeout_s is a number of seconds above 0 or None, got {timeout_s!r}")
        if not ray.is_initialized():
            init()
        self.dim = dim
        self.timeout_s = timeout_s
        self.split_size: int | None = None
        self._cores = neuron_cores
        self._lock = threading.Lock()
        self._slots: list[_Slot] = []
        self._load = ray.put(load)  # for as long as a replica may start again
        try:
            while not (processes := self._placed(num_replicas)):
                self.close()
                log.warning("others hold NeuronCores, and wait maybe: all replicas start again once there is room")
                time.sleep(random.uniform(0, 2))  # noqa: S311 - so that two drivers do not give way in step
                while not isinstance(num_replicas, str) and room(neuron_cores, wait=False) < num_replicas:
                    time.sleep(1)  # Ray tells nobody when resources are free
            self.replicas = self._loaded(processes)
        except BaseException:
            self.close()
            raise

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Split, compute, join. What is not an array goes to every part.

        Raises what the model raises; ValueError for inputs that cannot be split, TypeError for outputs of several parts
        that cannot be joined.
        """
        with contextlib.closing(self._call(inputs, keywords)) as call:
            answer: Any = None
            while True:
                try:
                    ref, seconds = call.send(answer)
                except StopIteration as end:
                    return end.value
                if ref is None:
                    time.sleep(seconds)
                    answer = None
                else:
                    answer = _got(ref, seconds)

    async def call_async(self, *inputs: Any, **keywords: Any) -> Any:
        """The same in an event loop."""
        with contextlib.closing(self._call(inputs, keywords)) as call:
            answer: Any = None
            while True:
                try:
                    ref, seconds = call.send(answer)
                except StopIteration as end:
                    return end.value
                try:
                    answer = await (asyncio.sleep(seconds) if ref is None else asyncio.wait_for(ref, seconds))
                except (RayError, asyncio.TimeoutError) as error:
                    answer = error if isinstance(error, RayError) else GetTimeoutError()
                answer = checked(answer)

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
            (result,) = yield from self._answers([everything])
            return parts.own(result)
        rows = [min(step, size - first) for first in range(0, size, step)]
        results = yield from self._answers(
            [parts.piece(everything, dim, number * step, count) for number, count in enumerate(rows)]
        )
        try:
            return parts.join(results, rows, dim)
        except parts.UndecidedError:
            rows.append(rows[0] - 1 or 2)
            witness = yield from self._answers([parts.piece(everything, dim, 0, rows[-1])])
            return parts.join(results, rows, dim, witness)

    def _answers(self, inputs: list[Any]) -> _Call:
        """Send all parts, and return what their replicas answer."""
        jobs = [_Job(part) for part in inputs]
        try:
            for job in jobs:
                self._send(job)
            results = []
            for job in jobs:
                results.append((yield from self._answer(job, jobs)))  # noqa: PERF401 - a comprehension cannot yield
            return results
        finally:
            for job in jobs:  # another part has raised, or the user has interrupted: what was sent is computed
                self._leave(job)

    def _answer(self, job: _Job, jobs: list[_Job]) -> _Call:
        limit = self.timeout_s or math.inf
        end = time.monotonic() + _WARN_AFTER[0]
        while True:
            if job.slot is None and not self._send(job):
                yield None, _PAUSE
                if time.monotonic() > end:
                    end = math.inf
                    warnings.warn(waiting(len(self._slots), self._cores), RuntimeWarning, stacklevel=4)
                continue
            slot = job.slot
            answer = yield job.ref, min(_ASK_AFTER, limit)
            if isinstance(answer, GetTimeoutError) and not (yield from self._hangs(slot, limit)):
                continue
            self._leave(job)
            if not isinstance(answer, RayError):
                return answer
            self._lost(job, slot, answer)
            # What waited for the same replica is lost, too: send it on now, and not when its turn comes.
            for other in jobs:
                if other.slot is slot and _is_lost(other.ref, unless_answered=isinstance(answer, GetTimeoutError)):
                    self._leave(other)
                    self._send(other)
            end = time.monotonic() + _WARN_AFTER[0]

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
        job.ref = slot.actor.run.remote(*arguments(job.part))
        return True

    def _leave(self, job: _Job) -> None:
        slot, job.slot = job.slot, None
        if slot is not None:
            with self._lock:
                slot.jobs.discard(job)

    # -- replicas -----------------------------------------------------------------------------------------------------

    def _hangs(self, slot: Any, limit: float) -> _Call:
        """Whether a replica that does not answer has been ended: it does not react, or has been computing one part for
        more than ``limit`` seconds. Its parts are lost then, now: where its node cannot be reached, Ray learns it a
        minute later."""
        if slot.ended:
            return True
        busy = yield slot.actor.busy.remote(), min(_SILENCE, limit)
        if isinstance(busy, GetTimeoutError):
            why = f"its process has not reacted for {min(_SILENCE, limit):g} s"
        elif not isinstance(busy, RayError) and busy > limit:
            why = f"it has been computing one part for more than timeout_s={limit:g} s"
        else:
            return False
        with self._lock:
            ended, slot.ended = slot.ended, True
        if not ended:
            log.warning("a replica is ended, and starts again: %s", why)
            ray.kill(slot.actor, no_restart=False)
        return True

    def _lost(self, job: _Job, slot: Any, error: RayError) -> None:
        """The part has no answer, and is to be sent again; its replica comes back where Ray has room for it."""
        job.losses += 1
        if job.losses == _MOST_LOSSES:
            raise RuntimeError(
                f"{_MOST_LOSSES} replicas were lost, one after the other, while they had the same part of a batch: the "
                "model seems to end its process, or to take longer than timeout_s"
            ) from error
        with self._lock:
            if not slot.alive:
                return
            slot.alive = False
        slot.actor.place.remote([self._load]).future().add_done_callback(partial(_is_back, slot))

    def _placed(self, wanted: int | str) -> list[Replica]:
        """Start the replicas, and wait until all have NeuronCores. Returns where they are; nothing where those that
        have some are to give them back: another driver has the rest and, maybe, waits for these."""
        fits = room(self._cores, wait=wanted == "all")
        count = fits if isinstance(wanted, str) else wanted
        if not count:
            raise NotEnoughNeuronCoresError(waiting(1, self._cores), need=self._cores, start=None, visible=0)

        def no_room(late: list[int], quiet: float) -> bool:
            return len(late) < count and quiet > _GIVE_WAY_AFTER and not room(self._cores, wait=False)

        actor = ray.remote(
            num_cpus=0,
            resources={RESOURCE: self._cores},
            max_restarts=-1,
            scheduling_strategy="SPREAD",
            concurrency_groups=ReplicaActor.THREADS,
        )(ReplicaActor)
        self._slots = [_Slot(actor.remote()) for _ in range(count)]
        refs = [slot.actor.where.remote() for slot in self._slots]
        places = _all(refs, _WARN_AFTER[count <= fits], lambda late: waiting(len(late), self._cores), no_room)
        if None in places and wanted != "all":
            return []
        self._slots = [slot for slot, place in zip(self._slots, places) if place is not None]
        return [place for place in places if place is not None]

    def _loaded(self, processes: list[Replica]) -> tuple[Replica, ...]:
        """Wait until all replicas have loaded. Returns where they are. One that was lost meanwhile, and for which there
        is no room, comes back later, as one that is lost in a call."""
        for slot in self._slots:
            slot.alive = True  # it has NeuronCores, for which close() waits
        refs = [slot.actor.place.remote([self._load]) for slot in self._slots]
        since = math.inf

        def homeless(late: list[int]) -> list[int]:
            """Those that no node has."""
            return [number for number in late if not has_process(processes[number].actor_id)]

        def no_room(late: list[int], _quiet: float) -> bool:
            nonlocal since
            if any(restarts(processes[number].actor_id) > _MOST_RESTARTS for number in late):
                raise RuntimeError(
                    f"a replica was started {_MOST_RESTARTS + 1} times again while it loaded the model, which seems to "
                    "end its process"
                )
            enough = homeless(late) == late and len(late) < len(refs)
            since = min(since, time.monotonic()) if enough else math.inf
            return time.monotonic() - since > _GIVE_WAY_AFTER

        def said(late: list[int]) -> str:
            if lost := homeless(late):
                return waiting(len(lost), self._cores)
            where = ", ".join(f"{processes[number].pid} on {processes[number].node}" for number in late)
            seconds = f"{_WARN_AFTER[1]:.0f} s"
            return f"{len(late)} replica(s) have been loading the model for more than {seconds}: process {where}"

        answers = _all(refs, _WARN_AFTER[1], said, no_room)
        for slot, ref, answer in zip(self._slots, refs, answers):
            if answer is None:
                slot.alive = False
                log.warning("a replica was lost while it loaded the model, and comes back once there is room")
                ref.future().add_done_callback(partial(_is_back, slot))
        replicas = [answer for answer in answers if answer is not None]
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
    no_more: Callable[[list[int], float], bool],
) -> list[Any]:
    """What all replicas answer; raises what the first one raises. After ``seconds`` it warns of those that are late, by
    their numbers. Every second in which none answers ``no_more`` gets those numbers, and for how many seconds none has:
    where it is true, the answers of these are None."""
    pending, last = refs, time.monotonic()
    end = last + seconds
    while pending:
        done, pending = ray.wait(pending, timeout=1)
        for ref in done:
            _started(_got(ref))
            last = time.monotonic()
        if not done:
            left = set(pending)
            numbers = [number for number, ref in enumerate(refs) if ref in left]
            if no_more(numbers, time.monotonic() - last):
                break
            if time.monotonic() > end:
                warnings.warn(late(numbers), RuntimeWarning, stacklevel=4)
                end = math.inf
    left = set(pending)
    return [None if ref in left else _got(ref) for ref in refs]


def _got(ref: Any, seconds: float | None = None) -> Any:
    """What a replica answers, or the error by which Ray says that it is lost, or late. Raises what the model raises."""
    try:
        answer = ray.get(ref, timeout=seconds)
    except RayError as error:
        answer = error
    return checked(answer)


def _started(answer: Any) -> None:
    """Raise Ray's error where Ray does not start the replica again: somebody has ended its actor for good."""
    if isinstance(answer, RayError):
        raise answer


def _is_lost(ref: Any, *, unless_answered: bool) -> bool:
    """Whether that answer is known to be lost by now."""
    try:
        ray.get(ref, timeout=0)
    except GetTimeoutError:
        return unless_answered
    except RayError:
        return True
    return False


def _is_back(slot: _Slot, place: Any) -> None:
    """Ray has started a replica again, or cannot."""
    try:
        _started(checked(place.exception() or place.result()))
    except BaseException as error:  # noqa: BLE001 - callers get it once no other replica is left
        if slot.failure is None:
            slot.failure = error
            log.warning("a replica was lost, and does not come back: %s: %s", type(error).__name__, error)
            # Its NeuronCores are others'. Not in this thread, which is Ray's: ray.kill would wait for it.
            threading.Thread(target=ray.kill, args=(slot.actor,), daemon=True).start()
    else:
        slot.ended, slot.alive = False, True
