"""Describes the emulated instance as the devices that the tools of AWS Neuron show (SPEC I2, T1)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuron_rt import INSTANCE, STATE_DIR, Config, Cpu, Instance, NeuronConfigError, Owner, cpus_of_ncs

#: Instances whose documented links are a torus of four by four devices.
_TORUS = ("trn1.32xlarge", "trn1n.32xlarge", "trn2.48xlarge")
#: Instances whose documented links are a chain with two ends.
_CHAIN = ("inf1.6xlarge",)
_BUS = 16  # devices on one made-up PCI bus
_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Device:
    """A device of the instance. Properties that only hardware has are made up, the same at each call."""

    index: int
    ncs: tuple[int, ...]
    """Instance indexes of its NCs."""
    cpus: tuple[int, ...]
    """CPUs behind its NCs; empty where they are unknown."""
    numa_node: int
    """The node that all its CPUs are on; -1 where there are several or none is known."""
    memory: int
    """Bytes: its share of the machine's memory."""
    connected_to: tuple[int, ...]
    bdf: str
    """A made-up PCI address."""


def devices_of(instance: Instance, cpus: Sequence[Cpu], memory: int) -> tuple[Device, ...]:
    """Make the devices of ``instance`` on a machine of these CPUs and bytes of memory."""
    behind = cpus_of_ncs(instance.nc_count, cpus)
    node_of = {cpu.index: cpu.node for cpu in cpus}
    count = instance.device_count
    devices = []
    for index in range(count):
        first = index * instance.ncs_per_device
        ncs = tuple(range(first, min(first + instance.ncs_per_device, instance.nc_count)))
        own = sorted(frozenset[int]().union(*(behind[nc] for nc in ncs)))
        devices.append(
            Device(
                index=index,
                ncs=ncs,
                cpus=tuple(own),
                numa_node=_numa_node({node_of[cpu] for cpu in own}),
                memory=memory // count,
                connected_to=_connected_to(instance, index),
                bdf=f"0000:{index // _BUS:02x}:{0x20 - min(count, _BUS) + index % _BUS:02x}.0",
            )
        )
    return tuple(devices)


def read_environment(*names: str) -> Config:
    """Read the variables ``names``, by default those that a tool needs: errors in others concern other processes."""
    return Config.read({name: os.environ[name] for name in names or (INSTANCE, STATE_DIR) if name in os.environ})


def instance_of(config: Config, owners: Iterable[Owner]) -> tuple[Instance, tuple[str, ...]]:
    """Choose the instance to show. Returns it and the sorted names of the instances that processes run on.

    Each process publishes the instance of its own environment. Where all agree, that is shown; where they differ, or
    no process runs, this process's environment decides. Invalid names do not count.
    """
    said: dict[str, Instance] = {}
    for owner in owners:
        name = owner.record.get("instance")
        if isinstance(name, str):
            with contextlib.suppress(NeuronConfigError):
                said[name] = Instance.named(name, host_cpus=len(config.cpus) or os.cpu_count() or 1)
    chosen = next(iter(said.values())) if len(said) == 1 else config.instance
    return chosen, tuple(sorted(said))


def logical_config(instance: Instance) -> int:
    """Count the physical NCs in a logical NC: 2 on Trn2, as documented, else 1."""
    return 2 if instance.name.startswith("trn2") else 1


def machine_memory() -> int:
    """Count the bytes of memory of the machine, or of its container where that has fewer."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError), open(path) as file:  # absent, or "max"
            sizes.append(int(file.read()))
    return min(sizes)


def allowed_cpus() -> frozenset[int]:
    """Ask which CPUs this process may run on; empty where that is unknown."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _connected_to(instance: Instance, index: int) -> tuple[int, ...]:
    """List the neighbours in the documented order. Devices of an instance that is not documented form a ring."""
    count = instance.device_count
    if instance.name in _TORUS:
        row, column = divmod(index, 4)
        up, down = (row - 1) % 4 * 4 + column, (row + 1) % 4 * 4 + column
        left, right = row * 4 + (column - 1) % 4, row * 4 + (column + 1) % 4
        return (up, left, down, right)
    neighbours = (index + 1, index - 1)
    if instance.name in _CHAIN or count < 3:
        return tuple(other for other in neighbours if 0 <= other < count)
    return tuple(other % count for other in neighbours)


def _numa_node(nodes: set[int]) -> int:
    # A Cpu is on node 0, too, where the kernel knows no nodes.
    known = [node for node in nodes if os.path.isdir(f"/sys/devices/system/node/node{node}")]
    return known[0] if len(nodes) == len(known) == 1 else -1
