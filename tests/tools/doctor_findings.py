"""What the doctor's tests read of its findings, and CPUs for it to find."""

from __future__ import annotations

from neuron_adapters.tools.doctor import _examination
from neuron_rt.instance import Cpu

FIELDS = [
    "versions", "python", "shadowed", "adapters", "instance", "machine", "owners", "free", "state_directory",
    "variables", "conflicts", "problems",
]  # fmt: skip


def lines_of(findings: _examination.Findings, level: str) -> list[str]:
    return [f"{line.name}: {line.text}" for _title, lines in findings.sections for line in lines if line.level == level]


def machine(count: int, threads: int = 1) -> tuple[Cpu, ...]:
    return tuple(Cpu(index, 0, index % (count // threads)) for index in range(count))
