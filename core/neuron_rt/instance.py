"""The emulated instance: how many NeuronCores there are, and which CPUs stand behind each (SPEC I)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuron_rt.errors import NeuronConfigError

log = logging.getLogger("neuron_rt")

#: Documented instance types: NeuronCores in all, NeuronCores a device (SPEC I2).
INSTANCE_TYPES: dict[str, tuple[int, int]] = {
    "inf1.xlarge": (4, 4),
    "inf1.2xlarge": (4, 4),
    "inf1.6xlarge": (16, 4),
    "inf1.24xlarge": (64, 4),
    "inf2.xlarge": (2, 2),
    "inf2.8xlarge": (2, 2),
    "inf2.24xlarge": (12, 2),
    "inf2.48xlarge": (24, 2),
    "trn1.2xlarge": (2, 2),
    "trn1.32xlarge": (32, 2),
    "trn1n.32xlarge": (32, 2),
    "trn2.48xlarge": (64, 4),
}
DEFAULT_TYPE = "inf1.6xlarge"
MOST_NCS = 4096
ACCEPTED = f"{', '.join(INSTANCE_TYPES)}, 'host' (one NC a CPU), or a number of NCs from 1 to {MOST_NCS}"


@dataclass(frozen=True)
class Cpu:
    """One logical CPU, and the NUMA node and SMT core that it belongs to."""

    index: int
    node: int = 0
    core: int = 0


@dataclass(frozen=True)
class Instance:
    """An instance of ``nc_count`` NeuronCores, ``ncs_per_device`` to a device. ``name`` is how it was asked for."""

    name: str
    nc_count: int
    ncs_per_device: int

    @property
    def device_count(self) -> int:
        """Devices of the instance; the last one may be partly filled when the NC count was given as a number."""
        return -(-self.nc_count // self.ncs_per_device)

    @classmethod
    def named(cls, name: str, *, host_cpus: int) -> Instance:
        """Read an instance name (SPEC I2). ``host_cpus``: CPUs of the machine, for ``host``.

        Raises NeuronConfigError for anything that is neither a type, nor ``host``, nor a positive number.
        """
        known = INSTANCE_TYPES.get(name)
        if known:
            return cls(name, *known)
        if name == "host":
            return cls(name, host_cpus, min(4, host_cpus))
        if re.fullmatch(r"[0-9]{1,4}", name) and 1 <= int(name) <= MOST_NCS:
            return cls(name, int(name), min(4, int(name)))
        why = "is not an instance this machine can emulate"
        raise NeuronConfigError.of("NEURON_ADAPTERS_INSTANCE", name, why, ACCEPTED)


def machine_cpus(root: Path = Path("/sys")) -> tuple[Cpu, ...]:
    """CPUs of the machine or of its container, sorted by number; never the narrower mask of one process (SPEC I1).

    Empty where the platform tells nothing (then nothing is pinned).
    """
    for name in ("fs/cgroup/cpuset.cpus.effective", "fs/cgroup/cpuset/cpuset.effective_cpus"):
        indexes = _read_list(root / name)
        if indexes:
            break
    else:
        indexes = _read_list(root / "devices/system/cpu/online") or list(range(os.cpu_count() or 1))
    nodes: dict[int, int] = {}
    for folder in sorted((root / "devices/system/node").glob("node[0-9]*")):
        for cpu in _read_list(folder / "cpulist"):
            nodes[cpu] = int(folder.name[4:])
    cpus = []
    for index in indexes:
        siblings = _read_list(root / f"devices/system/cpu/cpu{index}/topology/thread_siblings_list")
        cpus.append(Cpu(index, nodes.get(index, 0), min(siblings, default=index)))
    return tuple(cpus)


def cpus_of_ncs(nc_count: int, cpus: Sequence[Cpu]) -> tuple[frozenset[int], ...]:
    """The fixed CPU set behind each NC (SPEC I3), the same in every process that sees the same machine.

    Fewer NCs than CPUs: equal runs of neighbours. They split neither SMT cores while there are enough of these, nor
    NUMA nodes while these are large enough; CPUs that do not divide equally are left over. More NCs than CPUs: NC ``i``
    on CPU ``i`` modulo their number, so that neighbours differ.
    """
    if not cpus:
        return (frozenset(),) * nc_count
    ordered = sorted(cpus, key=lambda cpu: cpu.index)
    if nc_count > len(ordered):
        log.info(
            "%d NeuronCores share %d CPUs in turn: NCs whose numbers differ by a multiple of %d take turns on one CPU",
            nc_count, len(ordered), len(ordered),
        )  # fmt: skip
        return tuple(frozenset({ordered[nc % len(ordered)].index}) for nc in range(nc_count))
    cores: dict[tuple[int, int], list[int]] = {}
    for cpu in sorted(ordered, key=lambda cpu: (cpu.node, cpu.core, cpu.index)):
        cores.setdefault((cpu.node, cpu.core), []).append(cpu.index)
    # The unit is a core, or a CPU where there are more NCs than cores or cores of unequal width.
    whole = len(cores) >= nc_count and len({len(threads) for threads in cores.values()}) == 1
    by_node: dict[int, list[list[int]]] = {}
    for (node, _core), threads in cores.items():
        by_node.setdefault(node, []).extend([threads] if whole else [[cpu] for cpu in threads])
    runs = _equal_runs(nc_count, list(by_node.values()))
    return tuple(frozenset(cpu for unit in run for cpu in unit) for run in runs)


def cpus_of_process(
    ncs: Sequence[int], nc_count: int, cpus: Sequence[Cpu], mask: frozenset[int]
) -> tuple[frozenset[int], ...]:
    """The CPUs behind each of ``ncs`` in a process that may use ``mask``: it keeps to a narrower one (SPEC I1)."""
    fixed = cpus_of_ncs(nc_count, cpus)
    turn = sorted(mask)
    return tuple(fixed[nc] & mask or frozenset({turn[nc % len(turn)]}) for nc in ncs)


def _equal_runs(count: int, nodes: list[list[list[int]]]) -> list[list[list[int]]]:
    """Cut ``count`` equal runs of units out of the nodes; whole nodes to a run where nodes are as many as runs."""
    if count <= len(nodes):
        share = len(nodes) // count
        size = min(sum(len(node) for node in nodes[i * share : (i + 1) * share]) for i in range(count))
        return [[unit for node in nodes[i * share : (i + 1) * share] for unit in node][:size] for i in range(count)]
    size = max(len(node) for node in nodes)
    while size > 1 and sum(len(node) // size for node in nodes) < count:
        size -= 1
    runs = [node[i : i + size] for node in nodes for i in range(0, len(node) - size + 1, size)]
    return runs[:count]


def _read_list(path: Path) -> list[int]:
    """Read a kernel CPU list (``0-3,8``); empty for a file that is missing or malformed."""
    try:
        text = path.read_text().strip()
        cpus: list[int] = []
        for part in filter(None, text.split(",")):
            low, _, high = part.partition("-")
            cpus.extend(range(int(low), int(high or low) + 1))
    except (OSError, ValueError):
        return []
    return cpus
