"""The emulated instance: how many NeuronCores there are, and which CPUs stand behind each (SPEC I)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
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
        indexes = _read_list(f"{root}/{name}")
        if indexes:
            break
    else:
        indexes = _read_list(f"{root}/devices/system/cpu/online") or list(range(os.cpu_count() or 1))
    nodes: dict[int, int] = {}
    for name in _names(f"{root}/devices/system/node"):
        if name.startswith("node") and name[4:].isdecimal():
            for cpu in _read_list(f"{root}/devices/system/node/{name}/cpulist"):
                nodes[cpu] = int(name[4:])
    cpus = []
    for index in indexes:
        siblings = _read_list(f"{root}/devices/system/cpu/cpu{index}/topology/thread_siblings_list")
        cpus.append(Cpu(index, nodes.get(index, 0), min(siblings, default=index)))
    return tuple(cpus)


def smt_cores(cpus: frozenset[int]) -> int:
    """How many SMT cores these CPUs are of."""
    return len({(cpu.node, cpu.core) for cpu in machine_cpus() if cpu.index in cpus}) or len(cpus)


def cpus_of_ncs(nc_count: int, cpus: Sequence[Cpu]) -> tuple[frozenset[int], ...]:
    """The fixed CPU set behind each NC (SPEC I3), the same in every process that sees the same machine.

    Fewer NCs than CPUs: equal runs of neighbours, as large as they can be while no two NCs share an SMT core (unless
    there are more NCs than cores) and no NC has CPUs of two NUMA nodes (unless there are fewer NCs than nodes). CPUs
    that do not divide equally are left over. More NCs than CPUs: NC ``i`` on CPU ``i`` modulo their number, so that
    neighbours differ.
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
    if nc_count > len(cores):  # then NCs share cores, but none has threads of two
        runs = _equal_runs(nc_count, [[[cpu] for cpu in threads] for threads in cores.values()])
    else:
        nodes: dict[int, list[list[int]]] = {}
        for (node, _core), threads in cores.items():
            nodes.setdefault(node, []).append(threads)
        runs = _equal_runs(nc_count, list(nodes.values()))
        joined = _whole_nodes(nc_count, list(nodes.values()))
        if joined and len(joined[0]) > len(runs[0]):
            runs = joined
    return tuple(map(frozenset, runs))


def cpus_of_process(
    ncs: Sequence[int], nc_count: int, cpus: Sequence[Cpu], mask: frozenset[int]
) -> tuple[frozenset[int], ...]:
    """The CPUs behind each of ``ncs`` in a process that may use ``mask``: it keeps to a narrower one (SPEC I1).

    Where the mask has no CPU of some of these NCs, as in a batch system's job that shares its machine, the instance is
    laid over the mask instead, so that they still share it evenly.
    """
    fixed = cpus_of_ncs(nc_count, cpus)
    if not all(fixed[nc] & mask for nc in ncs):
        known = {cpu.index: cpu for cpu in cpus}
        fixed = cpus_of_ncs(nc_count, [known.get(index, Cpu(index)) for index in sorted(mask)])
    return tuple(fixed[nc] & mask for nc in ncs)


def _equal_runs(count: int, rooms: Sequence[Sequence[list[int]]]) -> list[list[int]]:
    """Cut ``count`` runs of as many CPUs each as possible out of the rooms. A room is a sequence of units: runs lie
    within a room, and no two share a unit. There are at least ``count`` units."""
    size = max(sum(map(len, units)) for units in rooms)
    while True:
        runs = [run for units in rooms for run in sorted(_cut(size, units))]
        if len(runs) >= count:
            return runs[:count]
        size -= 1


def _cut(size: int, units: Sequence[list[int]]) -> Iterator[list[int]]:
    """Cut runs of ``size`` CPUs out of the units, wide ones first, so that narrow ones fill what they leave."""
    run: list[int] = []
    for unit in sorted(units, key=len, reverse=True):
        run += unit
        if len(run) >= size:
            yield run[:size]
            run = []


def _whole_nodes(count: int, nodes: Sequence[Sequence[list[int]]]) -> list[list[int]]:
    """The CPUs of equally many whole nodes for each of ``count`` NCs, as many of them as all have; empty where there
    are fewer nodes."""
    share = len(nodes) // count
    shares = [
        [cpu for node in nodes[nc * share : (nc + 1) * share] for unit in node for cpu in unit] for nc in range(count)
    ]
    return [cpus[: min(map(len, shares))] for cpus in shares] if share else []


def _names(folder: str) -> list[str]:
    """What is in a folder, in order; nothing where it is missing."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _read_list(path: str) -> list[int]:
    """Read a kernel CPU list (``0-3,8``); empty for a file that is missing or malformed. Every start of a process reads
    some: ``open`` in binary takes a third of the time of ``Path.read_text``."""
    try:
        with open(path, "rb", 0) as file:
            text = file.read().decode().strip()
        cpus: list[int] = []
        for part in filter(None, text.split(",")):
            low, _, high = part.partition("-")
            cpus.extend(range(int(low), int(high or low) + 1))
    except (OSError, ValueError):
        return []
    return cpus
