"""Makes the metric groups of ``neuron-monitor`` about the machine: CPUs, memory, swap (SPEC T1)."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

#: The documented names in the order of /proc/stat; time that another machine took ("steal") has none.
FIELDS = ("user", "nice", "system", "idle", "io_wait", "irq", "soft_irq")
_STEAL = 7

Ticks = tuple[int, ...]


@dataclass(frozen=True)
class CpuTimes:
    """What the kernel has counted up to ``at`` (seconds since the machine started)."""

    at: float
    cpus: Mapping[int, Ticks]
    """By number of the CPU: ticks in each of ``FIELDS``, and stolen ones."""
    context_switches: int

    @classmethod
    def read(cls, only: Container[int] = (), path: str = "/proc/stat") -> CpuTimes:
        """Read the kernel's counts. ``only``: CPUs to keep, if the kernel knows any of them: a container has fewer CPUs
        than its machine."""
        at = time.clock_gettime(time.CLOCK_BOOTTIME)
        cpus: dict[int, Ticks] = {}
        switches = 0
        with open(path) as file:
            for line in file:
                name, *words = line.split()
                if name.startswith("cpu") and name != "cpu":
                    cpus[int(name[3:])] = tuple(int(word) for word in words[: _STEAL + 1])
                elif name == "ctxt":
                    switches = int(words[0])
        kept = {cpu: ticks for cpu, ticks in cpus.items() if cpu in only}
        return cls(at, kept or cpus, switches)

    @classmethod
    def at_start(cls) -> CpuTimes:
        """Take the counts of the moment in which the machine started."""
        return cls(0.0, {}, 0)


def vcpu_usage(before: CpuTimes, after: CpuTimes) -> dict[str, Any]:
    """Report how the time between the two was spent, in percent, on each CPU and on all."""
    spent = {cpu: _less(ticks, before.cpus.get(cpu, ())) for cpu, ticks in after.cpus.items()}
    return {
        "period": round(after.at - before.at, 9),
        "average_usage": _shares([sum(column) for column in zip(*spent.values())]),
        "usage_data": {str(cpu): _shares(ticks) for cpu, ticks in sorted(spent.items())},
        "context_switch_count": max(0, after.context_switches - before.context_switches),
        "error": "",
    }


def memory_info(seconds: float) -> dict[str, Any]:
    """Report the bytes of memory and swap. Memory that the kernel can free at once counts as not used."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "period": round(seconds, 9),
        "memory_total_bytes": memory.total,
        "memory_used_bytes": memory.total - memory.available,
        "swap_total_bytes": swap.total,
        "swap_used_bytes": swap.used,
        "error": "",
    }


def _less(new: Ticks, old: Ticks) -> Ticks:
    old += (0,) * (len(new) - len(old))
    return tuple(max(0, now - before) for now, before in zip(new, old))


def _shares(ticks: Sequence[int]) -> dict[str, float]:
    """Divide by the sum; all zero where no tick has passed, or the kernel counts none."""
    total = sum(ticks)
    return {field: round(100 * spent / total, 2) if total else 0 for field, spent in zip(FIELDS, ticks)}
