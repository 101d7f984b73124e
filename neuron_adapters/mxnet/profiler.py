"""``mx.profiler``: what a script marks itself, tasks, frames, events, counters and markers, is recorded while the
profiler runs, and written as a Chrome trace. Operators are not recorded: ``neuron_adapters.timeline()`` shows the calls
of models.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, NamedTuple

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError

__all__ = [
    "Counter", "Domain", "Event", "Frame", "Marker", "Task", "dump", "dump_profile", "dumps", "pause",
    "profiler_set_config", "profiler_set_state", "resume", "set_config", "set_kvstore_handle", "set_state",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.profiler")

_COLUMNS = {"total": "Total", "avg": "Avg", "min": "Min", "max": "Max", "count": "Count"}


class _Record(NamedTuple):
    phase: str
    """As Chrome traces have it: X a span, C a counter, i a marker."""
    domain: str
    name: str
    start: float
    value: Any
    """Seconds, a number, or the scope."""


class _State:
    """What is recorded, in this process."""

    def __init__(self) -> None:
        self.filename = "profile.json"
        self.running = False
        self.paused = False
        self.records: list[_Record] = []
        self.lock = threading.Lock()

    def add(self, record: _Record) -> None:
        if self.running and not self.paused:
            with self.lock:
                self.records.append(record)


_state = _State()


def set_config(**options: Any) -> None:
    """Take MXNet's options; ``filename`` is where ``dump`` writes."""
    _state.filename = os.fspath(options.get("filename", _state.filename))


def set_state(state: str = "stop", profile_process: str = "worker") -> None:  # noqa: ARG001 - MXNet\'s signature
    """Record from now on ("run"), or not any more ("stop")."""
    if state not in ("run", "stop"):
        raise MXNetValueError(f"the state of the profiler is run or stop, got {state!r}.")
    _state.running = state == "run"


def pause(profile_process: str = "worker") -> None:  # noqa: ARG001 - MXNet\'s signature
    """Record nothing until ``resume``."""
    _state.paused = True


def resume(profile_process: str = "worker") -> None:  # noqa: ARG001 - MXNet\'s signature
    """Record again."""
    _state.paused = False


def dump(finished: bool = True, profile_process: str = "worker") -> None:  # noqa: ARG001 - MXNet\'s signature
    """Write what was recorded to the file, as a Chrome trace. ``finished``: stop recording."""
    with _state.lock:
        events = [_event(record) for record in _state.records]
    with open(_state.filename, "w", encoding="utf-8") as file:
        json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)
    if finished:
        _state.running = False


def dumps(reset: bool = False, format: str = "table", sort_by: str = "total", ascending: bool = False) -> str:  # noqa: A002
    """Return how often and how long, in milliseconds, spans and counters were recorded, as a table or as JSON.
    ``reset``: forget it. Raises ValueError for another format or column."""
    if format not in ("table", "json") or sort_by not in _COLUMNS:
        raise MXNetValueError(
            f"format is table or json, sort_by one of {', '.join(_COLUMNS)}, got {format!r}, {sort_by!r}."
        )
    with _state.lock:
        times = _statistics([record for record in _state.records if record.phase == "X"], 1000.0)
        counters = _statistics([record for record in _state.records if record.phase == "C"], 1.0)
        if reset:
            _state.records.clear()
    for domains in (times, counters):
        for domain, entries in domains.items():
            ordered = sorted(entries.items(), key=lambda entry: entry[1][_COLUMNS[sort_by]], reverse=not ascending)
            domains[domain] = dict(ordered)
    if format == "json":
        return json.dumps({"Time": times, "Memory": {}, "Counter": counters, "Unit": {"Time": "ms", "Memory": "kB"}})
    lines = ["Profile Statistics: operators are not recorded, neuron_adapters.timeline() shows the calls of models."]
    for title, domains in (("ms", times), ("value", counters)):
        for domain, entries in domains.items():
            lines += [
                "",
                domain,
                f"{'Name':<40}{'Count':>10}" + "".join(f"{f'{key} ({title})':>16}" for key in _NUMBERS),
            ]
            for name, entry in entries.items():
                lines.append(f"{name:<40}{entry['Count']:>10}" + "".join(f"{entry[key]:>16.4f}" for key in _NUMBERS))
    return "\n".join(lines) + "\n"


_NUMBERS = ("Total", "Min", "Max", "Avg")


def _statistics(records: list[_Record], factor: float) -> dict[str, dict[str, dict[str, float]]]:
    numbers: dict[str, dict[str, list[float]]] = {}
    for record in records:
        numbers.setdefault(record.domain, {}).setdefault(record.name, []).append(record.value * factor)
    return {
        domain: {
            name: {
                "Count": len(each), "Total": sum(each), "Min": min(each), "Max": max(each),
                "Avg": sum(each) / len(each),
            }
            for name, each in names.items()
        }
        for domain, names in numbers.items()
    }  # fmt: skip


def _event(record: _Record) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": record.name, "cat": record.domain, "ph": record.phase, "ts": round(record.start * 1e6),
        "pid": os.getpid(), "tid": 0,
    }  # fmt: skip
    if record.phase == "X":
        event["dur"] = round(record.value * 1e6)
    elif record.phase == "C":
        event["args"] = {record.name: record.value}
    else:
        event["s"] = str(record.value)[:1]
    return event


class Domain:
    """A group of what is recorded."""

    def __init__(self, name: str) -> None:
        self.name = name

    def new_task(self, name: str) -> Task:
        """Create a task of this group."""
        return Task(self, name)

    def new_frame(self, name: str) -> Frame:
        """Create a frame of this group."""
        return Frame(self, name)

    def new_counter(self, name: str, value: float | None = None) -> Counter:
        """Create a counter of this group."""
        return Counter(self, name, value)

    def new_marker(self, name: str) -> Marker:
        """Create a marker of this group."""
        return Marker(self, name)

    def __str__(self) -> str:
        return self.name


class _Span:
    """What has a begin and an end."""

    def __init__(self, domain: Domain | None, name: str) -> None:
        self.name = name
        self._domain = "event" if domain is None else domain.name
        self._started: float | None = None

    def start(self) -> None:
        """Begin."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """End: it is recorded."""
        if self._started is not None:
            _state.add(_Record("X", self._domain, self.name, self._started, time.perf_counter() - self._started))
            self._started = None

    def __str__(self) -> str:
        return self.name


class Task(_Span):
    """A piece of work, which any thread may do."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(domain, name)


class Frame(_Span):
    """One round of a loop."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(domain, name)


class Event(_Span):
    """A piece of work of one thread."""

    def __init__(self, name: str) -> None:
        super().__init__(None, name)


class Counter:
    """A number that changes: ``counter += 1``."""

    def __init__(self, domain: Domain, name: str, value: float | None = None) -> None:
        self.name = name
        self._domain, self._value = domain.name, 0.0
        if value is not None:
            self.set_value(value)

    def set_value(self, value: float) -> None:
        """Make it ``value``."""
        self._value = value
        _state.add(_Record("C", self._domain, self.name, time.perf_counter(), value))

    def increment(self, delta: float = 1) -> None:
        """Add ``delta``."""
        self.set_value(self._value + delta)

    def decrement(self, delta: float = 1) -> None:
        """Subtract ``delta``."""
        self.set_value(self._value - delta)

    def __iadd__(self, delta: float) -> Counter:  # noqa: PYI034 - Self is younger than Python 3.10
        self.increment(delta)
        return self

    def __isub__(self, delta: float) -> Counter:  # noqa: PYI034
        self.decrement(delta)
        return self

    def __str__(self) -> str:
        return self.name


class Marker:
    """A moment."""

    def __init__(self, domain: Domain, name: str) -> None:
        self.name = name
        self._domain = domain.name

    def mark(self, scope: str = "process") -> None:
        """Record it now. ``scope``: global, process, thread, task or marker."""
        _state.add(_Record("i", self._domain, self.name, time.perf_counter(), scope))


def set_kvstore_handle(handle: Any) -> None:
    """Do nothing: there are no servers."""


def profiler_set_config(mode: str = "symbolic", filename: str = "profile.json") -> None:
    """Do as ``set_config`` does."""
    set_config(mode=mode, filename=filename)


profiler_set_state = set_state
dump_profile = dump
