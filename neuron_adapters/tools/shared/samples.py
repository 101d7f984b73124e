"""Compares two looks at the running processes: rates, utilisation, latency (SPEC T1).

>>> sampler = Sampler(config.state_dir, shared=config.shared_state)
>>> before = sampler.look()
>>> # ... some time later
>>> for process in changes(before, sampler.look()):
...     print(process.owner.pid, process.utilization)
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuron_adapters.tools.shared.text import list_or_empty, text_or_empty
from neuron_rt import BUCKET_COUNT, Counters, Observer, Owner, Snapshot

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Fields of /proc/PID/stat, counted from the field after the name.
_USER, _SYSTEM, _STARTED, _RESIDENT = 11, 12, 19, 21
_LONGEST = 1000  # characters of a name
_ZEROS = (0,) * BUCKET_COUNT
_NOTHING = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, running=False, buckets=_ZEROS, totals=_ZEROS)


@dataclass(frozen=True)
class Usage:
    """Seconds of CPU that a process has used so far, and bytes of memory that it has now."""

    user: float
    system: float
    resident: int
    age: float = 0.0
    """Seconds since the process started; 0.0 where that is not known."""


@dataclass(frozen=True)
class Look:
    """One look. ``at``: seconds of the monotonic clock. ``usage``: by key of the owner."""

    at: float
    owners: tuple[Owner, ...]
    usage: Mapping[str, Usage]


@dataclass(frozen=True)
class Replica:
    """One replica of a model. Counts are of the time between two looks, those with ``total_`` since loading."""

    index: int
    ncs: tuple[int, ...]
    """Instance indexes."""
    running: bool
    calls: int
    errors: int
    timeouts: int
    switches: int
    total_calls: int
    total_errors: int
    total_timeouts: int
    total_switches: int
    buckets: tuple[int, ...]
    """Calls between the looks by their time on the NCs; see ``neuron_rt.snapshot.percentile``."""
    totals: tuple[int, ...]
    """The same with the wait for the NCs in it."""
    busy: float
    """Share of the time between the looks that it held its NCs, 0 to 1."""
    waited: float = 0.0
    """Seconds that these calls waited for the NCs, all together."""


@dataclass(frozen=True)
class ModelChange:
    """A loaded model. The texts come from its process and are checked for type and length only."""

    number: int
    name: str
    file: str
    framework: str
    engine: str
    nc_count: int
    weights: int
    """Bytes of its weights; 0 where its adapter does not know."""
    replicas: tuple[Replica, ...]


@dataclass(frozen=True)
class ProcessChange:
    """A process of the second look, compared with the first."""

    owner: Owner
    seconds: float
    """Between the looks, or since the process began."""
    utilization: Mapping[int, float]
    """By instance NC: the share of the time in which a model held it, 0 to 1."""
    user: float
    """User time in CPUs (2.0: two CPUs were busy); since the start of a process that is new."""
    system: float
    resident: int
    """Bytes."""
    models: tuple[ModelChange, ...] = field(default=())
    counted: bool = True
    """False where its counters cannot be read, so that only its record is here."""


class Sampler:
    """Takes looks at one state directory."""

    def __init__(self, directory: Path, *, shared: bool) -> None:
        self._observer = Observer(directory, shared=shared)

    def look(self) -> Look:
        """Read the records and the usage of all processes. Raises StateDirectoryError."""
        owners = self._observer.read()
        used = ((owner.key, _usage(owner.pid)) for owner in owners)
        return Look(time.monotonic(), owners, {key: usage for key, usage in used if usage is not None})

    def close(self) -> None:
        """Close the directory."""
        self._observer.close()


def changes(before: Look, after: Look, *, histograms: bool = True) -> tuple[ProcessChange, ...]:
    """Compute what changed between two looks, for each process of the second.

    Without ``histograms``, replicas have no ``buckets`` and ``totals``: of hundreds, they take half of the time.
    """
    earlier = {owner.key: owner for owner in before.owners}
    return tuple(_change(earlier.get(owner.key), owner, before, after, histograms) for owner in after.owners)


def _usage(pid: int) -> Usage | None:
    """Ask the kernel about a process; None where it has ended or is in another PID namespace."""
    try:
        file = os.open(f"/proc/{pid:d}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fields = os.read(file, 4096).rpartition(b")")[2].split()
    except OSError:
        return None
    finally:
        os.close(file)
    if len(fields) <= _RESIDENT:
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED]) / _TICKS
    return Usage(
        user=int(fields[_USER]) / _TICKS,
        system=int(fields[_SYSTEM]) / _TICKS,
        resident=int(fields[_RESIDENT]) * _PAGE,
        age=max(0.0, age),
    )


def _change(old: Owner | None, new: Owner, before: Look, after: Look, histograms: bool) -> ProcessChange:
    was, now = (None if old is None else old.snapshot), new.snapshot
    seconds = after.at - before.at
    if now is not None:
        seconds = max(1e-9, (now.at - (was.at if was else now.began)) * 1e-9)
    used, have = before.usage.get(new.key), after.usage.get(new.key)
    started = used or Usage(0.0, 0.0, 0)
    present = have or started
    span = seconds if used else present.age  # of a process that is new, all that it has used so far
    return ProcessChange(
        owner=new,
        seconds=seconds,
        utilization=_utilization(new, was, now, seconds),
        user=max(0.0, present.user - started.user) / span if span else 0.0,
        system=max(0.0, present.system - started.system) / span if span else 0.0,
        resident=present.resident,
        models=_models(new, was, now, seconds, histograms),
        counted=now is not None,
    )


def _utilization(owner: Owner, was: Snapshot | None, now: Snapshot | None, seconds: float) -> dict[int, float]:
    if now is None:
        return {}
    old = was.busy if was and len(was.busy) == len(now.busy) else (0,) * len(now.busy)
    return {nc: _share(new - old, seconds) for nc, new, old in zip(owner.ncs, now.busy, old)}


def _share(nanoseconds: int, seconds: float) -> float:
    return min(1.0, max(0.0, nanoseconds * 1e-9 / seconds))


def _models(
    owner: Owner, was: Snapshot | None, now: Snapshot | None, seconds: float, histograms: bool
) -> tuple[ModelChange, ...]:
    said = {model["number"]: model for model in list_or_empty(owner.record.get("models")) if _is_model(model)}
    rows: dict[int, list[Counters]] = {}
    for row in now.rows if now else ():
        rows.setdefault(row.number, []).append(row)
    old = {(row.number, row.replica): row for row in (was.rows if was else ())}
    changed = []
    for number in sorted(rows if now else said):
        words, own = said.get(number, {}), rows.get(number, [])
        changed.append(ModelChange(
            number=number,
            name=_word(words, "name") or f"model {number}",
            file=_word(words, "file"),
            framework=_word(words, "framework"),
            engine=_word(words, "engine"),
            nc_count=own[0].nc_count if own else _count(words.get("nc_count")),
            weights=_count(words.get("weights")),
            replicas=tuple(
                _replica(owner, row, old.get((row.number, row.replica)), seconds, histograms)
                for row in sorted(own, key=lambda row: row.replica)
            ),
        ))  # fmt: skip
    return tuple(changed)


def _replica(owner: Owner, row: Counters, old: Counters | None, seconds: float, histograms: bool) -> Replica:
    old = old or _NOTHING
    buckets = _less(row.buckets, old.buckets) if histograms else ()
    waits = histograms and not (row.totals is row.buckets and old.totals is old.buckets)
    return Replica(
        index=row.replica,
        ncs=owner.ncs[row.start_nc : row.start_nc + row.nc_count],
        running=row.running,
        calls=max(0, row.calls - old.calls),
        errors=max(0, row.errors - old.errors),
        timeouts=max(0, row.timeouts - old.timeouts),
        switches=max(0, row.switches - old.switches),
        total_calls=row.calls,
        total_errors=row.errors,
        total_timeouts=row.timeouts,
        total_switches=row.switches,
        buckets=buckets,
        totals=_less(row.totals, old.totals) if waits else buckets,
        busy=_share(row.busy - old.busy, seconds),
        waited=max(0, row.waited - old.waited) * 1e-9,
    )


def _less(new: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    if new == old:
        return _ZEROS
    return tuple([now - before if now > before else 0 for now, before in zip(new, old)])


def _is_model(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("number")) is int


def _word(said: Mapping[str, Any], key: str) -> str:
    return text_or_empty(said.get(key), _LONGEST)


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 62 else 0
