"""Reads, at one time, everything that a frame shows. It neither waits for processes nor takes NeuronCores."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from neuron_adapters.tools.shared.samples import Look, Sampler
from neuron_adapters.tools.shared.text import one_line
from neuron_rt import Config, NeuronError


@dataclass(frozen=True)
class System:
    """The machine. CPU times are seconds since it started, of all its CPUs together; memory is in bytes."""

    user: float
    system: float
    total: float
    memory_used: int
    memory_total: int

    @classmethod
    def now(cls) -> System:
        """Read the state of the machine."""
        times, memory = psutil.cpu_times(), psutil.virtual_memory()
        system = times.system + getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)
        # The time of guests is in that of the user already.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return cls(
            user=times.user + getattr(times, "nice", 0.0),
            system=system,
            total=total,
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
        )


@dataclass(frozen=True)
class Sight:
    """One reading. ``time``: seconds since the epoch. ``error``: why the processes cannot be seen, or empty."""

    time: float
    look: Look
    system: System
    error: str = ""


class Reader:
    """Takes readings of one state directory. Used by one thread at a time."""

    def __init__(self, config: Config) -> None:
        self._sampler = Sampler(config.state_dir, shared=config.shared_state)

    def read(self) -> Sight:
        """Read once. Errors of the state directory are in the result: the next reading may find it repaired."""
        error = ""
        try:
            look = self._sampler.look()
        except (NeuronError, OSError) as problem:
            look, error = Look(time.monotonic(), (), {}), one_line(problem)
        return Sight(time.time(), look, System.now(), error)
