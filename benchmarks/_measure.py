"""How everything here is measured: in short windows that take turns.

A machine is not equally fast from minute to minute, least of all a virtual one. So the sides of a comparison are all
started first, and then run one window each, round after round, in an order that rotates; exactly one runs at a time and
the others sleep. A ratio is taken within a round, between windows that are seconds apart, and what is reported is the
median of those ratios with their quartiles. The first round warms up and is dropped.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from _children import Child
from _files import BenchmarkError

Window = dict[str, Any]


@dataclass
class Side:
    """One way of doing the work: some child processes that run at the same time."""

    name: str
    start: Callable[[], list[Child]]
    children: list[Child] = field(default_factory=list)
    failed: str = ""

    def open(self) -> bool:
        """Start the children. Where that fails, say so in one line and leave the side out."""
        began = time.monotonic()
        try:
            self.children = self.start()
            for child in self.children:
                child.ready()
        except BenchmarkError as error:
            self.fail(error)
        else:
            progress(f"{self.name}: ready after {time.monotonic() - began:.1f} s")
        return not self.failed

    def run(self, order: str, seconds: float) -> Window:
        """Let all children obey ``order`` at once. Their rates are added; p50 and p99 are those of model 0. ``cpu``: CPU
        seconds of a call, to a clock tick in all."""
        used = self.cpu_seconds()
        for child in self.children:
            child.say(order)
        answers = [child.answer(seconds) for child in self.children]
        models = [model for answer in answers for model in answer.values()]
        count = sum(model["count"] for model in models)
        return {
            "rate": sum(model["rate"] for model in models),
            "rates": [model["rate"] for model in models],
            "count": count,
            "cpu": (self.cpu_seconds() - used) / count,
            "p50": models[0]["p50"],
            "p99": models[0]["p99"],
        }

    def fail(self, error: BenchmarkError) -> None:
        """Leave this side out from now on."""
        self.failed = str(error)
        progress(f"{self.name}: LEFT OUT, {self.failed}")
        self.close()

    def close(self) -> None:
        """End the children."""
        for child in self.children:
            child.stop()

    def cpu_seconds(self) -> float:
        """CPU time of the children so far."""
        return sum(child.cpu_seconds() for child in self.children)


@dataclass
class Entry:
    """What takes turns: a side, and which of its models run. ``calls``: so many calls instead of a time."""

    name: str
    side: Side
    models: tuple[int, ...] = ()
    calls: int = 0

    def window(self, seconds: float) -> Window:
        """One window."""
        order = f"calls {self.calls}" if self.calls else f"run {seconds}"
        return self.side.run(" ".join([order, *map(str, self.models)]), seconds)


def entries_of(sides: Sequence[Side], calls: int = 0) -> list[Entry]:
    """Each side as a whole, under its own name."""
    return [Entry(side.name, side, calls=calls) for side in sides]


def interleave(entries: Sequence[Entry], rounds: int, seconds: float) -> dict[str, list[Window | None]]:
    """Windows of every entry, one a round; None where its side failed. Starts the sides and ends them."""
    sides = list({id(entry.side): entry.side for entry in entries}.values())
    inside, windows = dict.fromkeys(map(id, sides), 0.0), {entry.name: [] for entry in entries}
    try:
        for side in sides:
            side.open()
        began, before = time.monotonic(), {id(side): side.cpu_seconds() for side in sides}
        for turn in range(rounds + 1):
            shift = turn % len(entries)
            for entry in [*entries[shift:], *entries[:shift]]:
                window = None
                if not entry.side.failed:
                    used = entry.side.cpu_seconds()
                    try:
                        window = entry.window(seconds if turn else min(seconds, 0.5))
                    except BenchmarkError as error:
                        entry.side.fail(error)
                    inside[id(entry.side)] += entry.side.cpu_seconds() - used
                if turn:
                    windows[entry.name].append(window)
        for side in sides:
            asleep = side.cpu_seconds() - before[id(side)] - inside[id(side)]
            if not side.failed and asleep > 0.02 * (time.monotonic() - began):
                progress(f"{side.name}: used {asleep:.1f} s of CPU between its windows; it disturbs the others")
    finally:
        for side in sides:
            side.close()
    return windows


@dataclass(frozen=True)
class Spread:
    """The median of some numbers and their quartiles."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread | None:
        """None where there are no numbers."""
        numbers = sorted(numbers)
        if not numbers:
            return None
        if len(numbers) == 1:
            return cls(numbers[0], numbers[0], numbers[0], 1)
        low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
        return cls(median, low, high, len(numbers))

    def text(self, digits: int = 2, factor: float = 1.0) -> str:
        """``1.49 (1.47-1.52)``."""
        median, low, high = (f"{value * factor:,.{digits}f}" for value in (self.median, self.low, self.high))
        return f"{median} ({low} to {high})"


def ratios(above: Sequence[Window | None], below: Sequence[Window | None], key: str = "rate") -> list[float]:
    """``above`` ÷ ``below``, round by round."""
    return [window[key] / reference[key] for window, reference in zip(above, below) if window and reference]


def differences(more: Sequence[Window | None], less: Sequence[Window | None], key: str) -> list[float]:
    """``more`` - ``less``, round by round."""
    return [window[key] - reference[key] for window, reference in zip(more, less) if window and reference]


def values(windows: Sequence[Window | None], key: str = "rate") -> list[float]:
    """One figure of each window."""
    return [window[key] for window in windows if window]


def progress(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text}", file=sys.stderr, flush=True)
