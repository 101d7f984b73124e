"""What a benchmark says: a plain table, its goals met or not, and the same as JSON with the machine it ran on."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from _measure import Spread

PACKAGES = ("neuron-adapters", "torch", "tensorflow-cpu", "keras", "openvino", "onnxruntime", "numpy")


@dataclass
class Goal:
    """A promise of the design, and what was measured. ``at_least`` says which side of ``goal`` is good."""

    name: str
    goal: float
    at_least: bool
    measured: Spread | None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """None where it could not be measured."""
        if self.measured is None:
            return None
        return self.measured.median >= self.goal if self.at_least else self.measured.median <= self.goal

    def row(self) -> list[str]:
        """For :func:`table`."""
        sign = "at least" if self.at_least else "at most"
        said = "not measured" if self.measured is None else self.measured.text(2 if self.measured.median < 100 else 0)
        return [
            self.name,
            f"{sign} {self.goal:g} {self.unit}".strip(),
            said,
            {True: "met", False: "NOT MET", None: "-"}[self.met],
        ]


GOAL_COLUMNS = ("goal", "wanted", "median (quartiles)", "")


class Report:
    """Collects tables, goals and raw data of one benchmark, prints them and writes them."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options = name, options
        self.began = time.time()
        self.machine = machine()
        self.goals: list[Goal] = []
        self.data: dict[str, Any] = {}
        print(f"{name}: {self.machine['cpu']}, {self.machine['cpus_used']} of {self.machine['cpus']} CPUs, "
              f"load {self.machine['load']:.2f}{', quick: for a first look only' if options.quick else ''}")  # fmt: skip

    def goal(self, name: str, goal: float, numbers: Iterable[float], *, at_least: bool, unit: str = "") -> None:
        """State a goal with the numbers that decide it, one a round."""
        self.goals.append(Goal(name, goal, at_least, Spread.of(numbers), unit))

    def finish(self) -> None:
        """Print the goals, write the file if one was asked for."""
        if self.goals:
            table("goals", GOAL_COLUMNS, [goal.row() for goal in self.goals])
        if self.options.json:
            document = {
                "benchmark": self.name,
                "quick": self.options.quick,
                "seconds": round(time.time() - self.began, 1),
                "machine": self.machine,
                "goals": [{**asdict(goal), "met": goal.met} for goal in self.goals],
                "data": self.data,
            }
            with open(self.options.json, "w") as file:
                json.dump(document, file, indent=1)
                file.write("\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [columns, *rows]) for column in range(len(columns))]
    print(f"\n{title}")
    for row in [columns, ["-" * width for width in widths], *rows]:
        cells = [
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths))
        ]
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def parser(text: str, *, rounds: int, seconds: float | None = None) -> argparse.ArgumentParser:
    """The options that all benchmarks have. ``text``: the script's docstring, which is its help."""
    options = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--quick", action="store_true", help="few and short windows: shows that it works, measures little"
    )
    options.add_argument("--json", metavar="FILE", help="write everything that was measured there too")
    options.add_argument("--rounds", type=int, metavar="N", help=f"rounds after the warm-up; default {rounds}, quick 2")
    if seconds is not None:
        options.add_argument(
            "--seconds", type=float, metavar="S", help=f"length of a window; default {seconds:g}, quick 0.2"
        )
    options.set_defaults(usual=(rounds, seconds))
    return options


def settings(options: argparse.Namespace) -> tuple[int, float]:
    """Rounds and seconds a window, as asked for."""
    rounds, seconds = (2, 0.2) if options.quick else options.usual
    return options.rounds or rounds, getattr(options, "seconds", None) or seconds or 0.0


def confine(count: int = 2) -> list[int]:
    """Keep this process and its children to the first ``count`` CPUs, and return them.

    Two models on 64 CPUs would leave 62 idle in one side and use them in another. On as many CPUs as models each side
    has the whole of the same small machine. Ends the benchmark where there are not so many CPUs.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        sys.exit(f"this benchmark compares what {count} CPUs do, and this process may use {len(allowed)}")
    os.sched_setaffinity(0, allowed[:count])
    return allowed[:count]


def machine() -> dict[str, Any]:
    """What it ran on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "cpu": cpu,
        "cpus": os.cpu_count(),
        "cpus_used": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": versions,
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "engine": os.environ.get("NEURON_ADAPTERS_ENGINE", "auto"),
    }


def _lines(path: str) -> list[str]:
    try:
        with open(path, errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
