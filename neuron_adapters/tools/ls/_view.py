"""Reads what ``neuron-ls`` shows: the devices of the instance, and the processes on each."""

from __future__ import annotations

from dataclasses import dataclass

from neuron_adapters.tools.shared.devices import Device, devices_of, instance_of, machine_memory, read_environment
from neuron_rt import Instance, Owner, owners

NONE = "NA"  # as documented, for what a device or a process has not


@dataclass(frozen=True)
class Process:
    """A process as it is shown."""

    pid: int
    tag: str
    command: str
    version: str
    ncs: tuple[int, ...]

    @property
    def title(self) -> str:
        """Tag and command."""
        return f"[{self.tag}] {self.command}" if self.tag else self.command

    @property
    def short_title(self) -> str:
        """The title without the directory of the program: there is little room."""
        program, space, rest = self.command.partition(" ")
        tag = f"[{self.tag}] " if self.tag else ""
        return tag + (program.rpartition("/")[2] or program) + space + rest


@dataclass(frozen=True)
class View:
    """One reading of the state directory."""

    instance: Instance
    configured: Instance
    said: tuple[str, ...]
    """Names of the instances that the processes run on."""
    cpu_count: int
    devices: tuple[Device, ...]
    processes: tuple[tuple[Process, ...], ...]
    """Those on each device."""
    elsewhere: tuple[Owner, ...]
    """Processes that publish and are on no device: they own no NCs, or only NCs that this instance has not."""


def look(also: tuple[Process, ...]) -> View:
    """Read the machine and the state directory. ``also``: processes to show on every device."""
    config = read_environment()
    living = owners(config.state_dir, shared=config.shared_state)
    instance, said = instance_of(config, living)
    devices = devices_of(instance, config.cpus, machine_memory())
    existing = range(instance.nc_count)
    return View(
        instance=instance,
        configured=config.instance,
        said=said,
        cpu_count=len(config.cpus),
        devices=devices,
        processes=tuple(
            tuple(process_of(owner) for owner in living if not set(device.ncs).isdisjoint(owner.ncs)) + also
            for device in devices
        ),
        elsewhere=tuple(owner for owner in living if not any(nc in existing for nc in owner.ncs)),
    )


def process_of(owner: Owner) -> Process:
    """Take what is shown of a process that publishes."""
    return Process(owner.pid, owner.tag, owner.command, owner.runtime_version or NONE, owner.ncs)
