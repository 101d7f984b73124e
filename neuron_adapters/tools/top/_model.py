"""Makes the numbers of a frame: compares two readings, and keeps the history of those before (SPEC T1)."""

from __future__ import annotations

import functools
import itertools
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from neuron_adapters.tools.shared.devices import instance_of
from neuron_adapters.tools.shared.samples import Look, ProcessChange, changes
from neuron_adapters.tools.top._nodes import Core, Key, Process, cores_of, label_of, process_node
from neuron_adapters.tools.top._reading import Sight, System
from neuron_rt import BUCKET_COUNT, Config, Counters, Instance, Snapshot, percentile

COLOURS = 6
LATENCY_WINDOW = 10.0
"""Seconds that p50 and p99 look back."""
_STEP = LATENCY_WINDOW / 10
_LONGEST = 120  # values of a history


@dataclass(frozen=True)
class Picture:
    """One frame in numbers."""

    time: float
    seconds: float
    """Between the two readings."""
    error: str
    instance: Instance
    instances: tuple[str, ...]
    """What the processes say they run on."""
    cpu_count: int
    cores: tuple[Core, ...]
    processes: tuple[Process, ...]
    user: float
    """Of all CPUs of the machine, the share that was busy with user code, 0 to 1."""
    system: float
    memory_used: int
    memory_total: int
    history: Mapping[object, deque[float]] = field(repr=False)
    """Utilisation by NC and by ``(device,)``, calls a second by Key; the last value is this frame's."""
    past: Look = field(repr=False)
    """What latencies are counted from."""
    _latencies: dict[Key, tuple[float, float] | None] = field(default_factory=dict, init=False, repr=False)
    _earlier_rows: dict[str, dict[tuple[int, int], Counters]] = field(default_factory=dict, init=False, repr=False)

    def process(self, key: str) -> Process | None:
        """Find the process of that key."""
        return next((process for process in self.processes if process.key == key), None)

    def series(self, key: object) -> list[float]:
        """Take the history of an NC, a device or a row."""
        return list(self.history.get(key, ()))

    def latency(self, key: Key) -> tuple[float, float] | None:
        """Compute p50 and p99 in seconds, the wait for the NCs included; None where nothing was called lately."""
        if key not in self._latencies:
            self._latencies[key] = self._latency(key)
        return self._latencies[key]

    def _latency(self, key: Key) -> tuple[float, float] | None:
        now = self._snapshots.get(key.process)
        rows = now.rows if now else ()
        if key.model:
            rows = tuple(
                row for row in rows if row.number == key.model and (key.replica < 0 or row.replica == key.replica)
            )
        then = self._earlier(key.process) if rows else {}
        counts = [0] * BUCKET_COUNT
        for row in rows:
            old = then.get((row.number, row.replica))
            if old is None:
                counts = [count + new for count, new in zip(counts, row.totals)]
            elif old.calls != row.calls:
                counts = [count + max(0, new - was) for count, new, was in zip(counts, row.totals, old.totals)]
        return (percentile(counts, 50), percentile(counts, 99)) if any(counts) else None

    @functools.cached_property
    def _snapshots(self) -> dict[str, Snapshot | None]:
        return {process.key: process.change.owner.snapshot for process in self.processes}

    @functools.cached_property
    def _past_snapshots(self) -> dict[str, Snapshot | None]:
        return {owner.key: owner.snapshot for owner in self.past.owners}

    def _earlier(self, process: str) -> dict[tuple[int, int], Counters]:
        known = self._earlier_rows.get(process)
        if known is None:
            snapshot = self._past_snapshots.get(process)
            known = {(row.number, row.replica): row for row in snapshot.rows} if snapshot else {}
            self._earlier_rows[process] = known
        return known


class History:
    """Turns readings into frames, and remembers what sparklines and colours need."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._last: Sight | None = None
        self._looks: deque[Look] = deque()
        self._series: dict[object, deque[float]] = {}
        self._colours: dict[str, int] = {}
        self._next_colour = itertools.count()

    def add(self, sight: Sight) -> Picture:
        """Compare ``sight`` with the reading before it; the first frame says what was counted since loading."""
        before, self._last, look = self._last, sight, sight.look
        if not self._looks or look.at >= self._looks[-1].at + _STEP:
            self._looks.append(look)
        while len(self._looks) > 2 and self._looks[1].at <= look.at - LATENCY_WINDOW:
            self._looks.popleft()
        owners = look.owners
        instance, said = instance_of(self._config, owners)
        processes = self._processes(changes(before.look if before else Look(look.at, (), {}), look, histograms=False))
        cores = cores_of(instance, processes)
        self._remember(instance, cores, processes)
        user, system = _cpu_shares(before.system if before else None, sight.system)
        return Picture(
            time=sight.time,
            seconds=look.at - before.look.at if before else 0.0,
            error=sight.error,
            instance=instance,
            instances=said,
            cpu_count=len(self._config.cpus) or os.cpu_count() or 1,
            cores=cores,
            processes=processes,
            user=user,
            system=system,
            memory_used=sight.system.memory_used,
            memory_total=sight.system.memory_total,
            history=self._series,
            past=self._looks[0] if before else Look(look.at, (), {}),
        )

    def _processes(self, compared: Iterable[ProcessChange]) -> tuple[Process, ...]:
        """Number the processes: those with NCs first, by their first NC."""
        ordered = sorted(compared, key=lambda change: (not change.owner.ncs, change.owner.ncs, change.owner.key))
        keys = {change.owner.key for change in ordered}
        self._colours = {key: colour for key, colour in self._colours.items() if key in keys}
        return tuple(
            Process(change, label_of(change), number, self._colour(change.owner.key), process_node(change))
            for number, change in enumerate(ordered, 2)
        )

    def _colour(self, key: str) -> int:
        if key not in self._colours:
            self._colours[key] = next(self._next_colour) % COLOURS
        return self._colours[key]

    def _remember(self, instance: Instance, cores: Sequence[Core], processes: Sequence[Process]) -> None:
        values: dict[object, float] = {core.nc: core.share for core in cores}
        for first in range(0, instance.nc_count, instance.ncs_per_device):
            own = cores[first : first + instance.ncs_per_device]
            values[first // instance.ncs_per_device,] = sum(core.share for core in own) / len(own)
        for process in processes:
            values[process.node.key] = process.node.calls
            values.update((model.key, model.calls) for model in process.node.children)
        series = self._series
        self._series = {key: series.get(key) or deque(maxlen=_LONGEST) for key in values}
        for key, value in values.items():
            self._series[key].append(value)


def _cpu_shares(old: System | None, new: System) -> tuple[float, float]:
    total = new.total - old.total if old else 0.0
    if old is None or total <= 0:
        return 0.0, 0.0
    return max(0.0, new.user - old.user) / total, max(0.0, new.system - old.system) / total
