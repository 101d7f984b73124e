"""``neuron-ls``: the devices of the instance, and the processes on them (SPEC T1).

It reads what running processes publish, waits for nobody and takes no NeuronCores. The instance is the one that the
running processes agree on, which the first line says where it is not this environment's; else it is what
NEURON_ADAPTERS_INSTANCE says here. Of the environment it reads that and NEURON_ADAPTERS_STATE_DIR, nothing more: what
is wrong with the other variables is for the process that uses them to say.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neuron_adapters.tools._devices import (
    Device,
    devices_of,
    instance_of,
    logical_config,
    machine_memory,
    ranges,
    read_environment,
)
from neuron_adapters.tools._terminal import cut, ending, is_utf8, say, terminal_width
from neuron_rt import Owner, owners
from neuron_rt.instance import Instance

PROGRAM = "neuron-ls"
EPILOG = """\
exit codes:
  0 done, 1 the instance or the state directory cannot be used,
  2 the arguments are wrong

examples:
  neuron-ls           who uses which device
  neuron-ls --wide    whole commands, and the NeuronCores of each process
  neuron-ls -j | jq 'map(.nc_count) | add'    how many NeuronCores there are

NEURON_ADAPTERS_INSTANCE says which instance it is while no process runs, and
NEURON_ADAPTERS_STATE_DIR where processes publish. Nothing is started or taken.
"""

_NONE = "NA"  # as documented, for what a device or a process has not
_LONGEST = 40  # characters of a command in the narrow table, as documented
_SHORTEST = 10
_PRETTY = str.maketrans("<>^v|-", "◄►▲▼│─")


@dataclass(frozen=True)
class _Process:
    pid: int
    tag: str
    command: str
    version: str
    ncs: tuple[int, ...]

    @property
    def title(self) -> str:
        return f"[{self.tag}] {self.command}" if self.tag else self.command

    @property
    def short_title(self) -> str:
        """The title without the directory of the program: there is little room."""
        program, space, rest = self.command.partition(" ")
        tag = f"[{self.tag}] " if self.tag else ""
        return tag + (program.rpartition("/")[2] or program) + space + rest


@dataclass(frozen=True)
class _View:
    """What is shown: one reading of the state directory."""

    instance: Instance
    configured: Instance
    said: tuple[str, ...]
    """Names of the instances that the processes run on."""
    cpu_count: int
    devices: tuple[Device, ...]
    processes: tuple[tuple[_Process, ...], ...]
    """Those on each device."""
    elsewhere: tuple[Owner, ...]
    """Processes that publish and are on no device: they own no NCs, or NCs that this instance does not have."""


@dataclass(frozen=True)
class _Column:
    head: str
    """One word, or two that stand one below the other."""
    cells: list[list[str]]
    """The lines of text for each device."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Show the devices of the emulated Neuron instance, and the processes on them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-w", "--wide", action="store_true", help="every column and whole commands; wider than a narrow terminal"
    )
    parser.add_argument("-a", "--show-all-procs", action="store_true", help="also this command itself, on every device")
    parser.add_argument("-t", "--topology", action="store_true", help="draw which device is connected to which")
    parser.add_argument("-j", "--json-output", action="store_true", help="JSON for scripts, whole commands in it")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    return ending(PROGRAM, lambda: _show(options, arguments))


def _show(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    view = _look(_itself(arguments) if options.show_all_procs else ())
    say(_json(view) if options.json_output else _text(view, wide=options.wide, topology=options.topology))
    return 0


def _itself(arguments: Sequence[str]) -> tuple[_Process, ...]:
    """This process, under the name by which scripts leave it out, however it was started."""
    return (_Process(os.getpid(), "", " ".join([PROGRAM, *arguments]), _NONE, ()),)


def _look(also: tuple[_Process, ...]) -> _View:
    """Read the machine and the state directory; ``also`` are processes to show on every device."""
    config = read_environment()
    living = owners(config.state_dir, shared=config.shared_state)
    instance, said = instance_of(config, living)
    devices = devices_of(instance, config.cpus, machine_memory())
    existing = range(instance.nc_count)
    return _View(
        instance=instance,
        configured=config.instance,
        said=said,
        cpu_count=len(config.cpus),
        devices=devices,
        processes=tuple(
            tuple(_process(owner) for owner in living if not set(device.ncs).isdisjoint(owner.ncs)) + also
            for device in devices
        ),
        elsewhere=tuple(owner for owner in living if not any(nc in existing for nc in owner.ncs)),
    )


def _process(owner: Owner) -> _Process:
    return _Process(owner.pid, owner.tag, owner.command, owner.runtime_version or _NONE, owner.ncs)


def _json(view: _View) -> str:
    """The documented array: a device an element, with the documented fields and types."""
    return json.dumps(
        [
            {
                "neuron_device": device.index,
                "bdf": device.bdf,
                "cpu_affinity": ranges(device.cpus),
                "numa_node": str(device.numa_node),
                "connected_to": list(device.connected_to) or None,
                "nc_count": len(device.ncs),
                "logical_neuroncore_config": logical_config(view.instance),
                "memory_size": device.memory,
                "neuroncore_ids": list(device.ncs),
                "neuron_processes": [
                    {"pid": one.pid, "command": one.command, "neuron_runtime_version": one.version} for one in processes
                ],
            }
            for device, processes in zip(view.devices, view.processes)
        ],
        indent=4,
    )


def _text(view: _View, *, wide: bool, topology: bool) -> str:
    width = terminal_width()
    lines = _head(view, width)
    if wide:
        lines += _boxed(_wide_columns(view))
    else:
        columns = _device_columns(view)
        lines += _boxed(columns if topology else columns + _process_columns(view, width - len(_boxed(columns)[0])))
    if topology:
        drawing = _drawing(view.devices, width)
        lines += [
            "",
            "Neuron Device Topology",
            "",
            *(line.translate(_PRETTY) if is_utf8() else line for line in drawing),
        ]
    if view.elsewhere:
        lines += ["", f"on no device of {view.instance.name}:"]
        lines += [f"  {owner}" if wide else f"  {cut(str(owner), width - 2)}" for owner in view.elsewhere]
    return "\n".join(lines)


def _head(view: _View, width: int) -> list[str]:
    name, here = view.instance.name, view.configured.name
    if len(view.said) > 1:
        name += f" (processes differ: {', '.join(view.said)})"
    elif name != here:
        name += f" (of the running processes; here: {here})"
    lines = [cut(f"instance-type: {name}", width), f"instance-id: none (emulated on {view.cpu_count} CPUs)"]
    if logical_config(view.instance) > 1:
        lines.append(f"logical-neuroncore-config: {logical_config(view.instance)}")
    return lines


def _device_columns(view: _View) -> list[_Column]:
    """What a device is. Of a PCI address, the domain goes without saying: there is only one."""
    return [
        _of_device(view, "NEURON DEVICE", lambda device: str(device.index)),
        _of_device(view, "NEURON CORES", lambda device: str(len(device.ncs))),
        _of_device(view, "NEURON MEMORY", lambda device: _size(device.memory)),
        _of_device(view, "CONNECTED DEVICES", lambda device: ", ".join(map(str, device.connected_to))),
        _of_device(view, "PCI BDF", lambda device: device.bdf.partition(":")[2]),
    ]


def _process_columns(view: _View, room: int) -> list[_Column]:
    """Who uses a device; commands as long as ``room`` allows, but no longer than documented."""
    pids = _of_process(view, "PID", lambda one, _device: str(one.pid))
    room -= len(_boxed([pids])[0]) - 1 + len("  |")
    longest = min(_LONGEST, max(_SHORTEST, room))
    return [pids, _of_process(view, "COMMAND", lambda one, _device: cut(one.short_title, longest))]


def _wide_columns(view: _View) -> list[_Column]:
    """All documented columns in the documented order, and the NCs that each process owns."""
    index, count, memory, connected, _bdf = _device_columns(view)
    return [
        index,
        count,
        _of_device(view, "NEURON CORE IDS", lambda device: ranges(device.ncs)),
        memory,
        connected,
        _of_device(view, "PCI BDF", lambda device: device.bdf),
        _of_device(view, "CPU AFFINITY", lambda device: ranges(device.cpus)),
        _of_device(view, "NUMA NODE", lambda device: str(device.numa_node)),
        _of_process(view, "PID", lambda one, _device: str(one.pid)),
        _of_process(view, "COMMAND", lambda one, _device: one.title),
        _of_process(view, "RUNTIME VERSION", lambda one, _device: one.version),
        _of_process(view, "OWNED CORE IDS", lambda one, device: ranges(nc for nc in device.ncs if nc in one.ncs)),
    ]


def _of_device(view: _View, head: str, text: Callable[[Device], str]) -> _Column:
    return _Column(head, [[text(device) or _NONE] for device in view.devices])


def _of_process(view: _View, head: str, text: Callable[[_Process, Device], str]) -> _Column:
    cells = [
        [text(one, device) or _NONE for one in own] or [_NONE] for device, own in zip(view.devices, view.processes)
    ]
    return _Column(head, cells)


def _boxed(columns: Sequence[_Column]) -> list[str]:
    """A table in plain ASCII, as documented: heads centred, devices parted by lines where one of them takes several."""
    heads = [_two(column.head) for column in columns]
    widths = [
        max(len(text) for text in (*head, *itertools.chain(*column.cells))) for head, column in zip(heads, columns)
    ]
    rule = "+" + "".join("-" * (width + 2) + "+" for width in widths)
    apart = any(len(cell) > 1 for column in columns for cell in column.cells)
    lines = [rule, *(_row([text.center(width) for text, width in zip(texts, widths)]) for texts in zip(*heads)), rule]
    for cells in zip(*(column.cells for column in columns)):
        lines += [
            _row([text.ljust(width) for text, width in zip(texts, widths)])
            for texts in itertools.zip_longest(*cells, fillvalue="")
        ]
        if apart:
            lines.append(rule)
    return lines if apart else [*lines, rule]


def _two(head: str) -> tuple[str, str]:
    above, _space, below = head.partition(" ")
    return above, below


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _drawing(devices: Sequence[Device], width: int) -> list[str]:
    """The links as a picture: a torus as a square, anything else as a line that is folded to ``width``."""
    cells = [f"[{device.index:>2} ]" for device in devices]
    link, legend = "<-->", ["", "*--> wraps around"]
    if any(len(device.connected_to) == 4 for device in devices):
        lines = _posts("*|v")
        for first in range(0, len(cells), 4):
            lines.append(f"*-->{link.join(cells[first : first + 4])}<--*")
            lines += _posts("^|v" if first + 4 < len(cells) else "^|*")
        return lines + legend
    ring = len(devices) > 2 and devices[-1].index in devices[0].connected_to
    each = max(1, (width - len(link)) // (len(cells[-1]) + len(link)))
    rows = [link.join(cells[first : first + each]) for first in range(0, len(cells), each)]
    line = "<--\n-->".join(rows)
    return [*f"*-->{line}<--*".splitlines(), *legend] if ring else line.splitlines()


def _posts(marks: str) -> list[str]:
    """The links between two rows of a torus."""
    return [" " * 6 + (" " * 8).join(mark * 4) for mark in marks]


def _size(count: int) -> str:
    """Bytes in words of six letters at most."""
    gigabytes = count / 2**30
    if gigabytes < 0.1:
        return f"{count / 2**20:.0f} MB"
    return f"{gigabytes:.0f} GB" if gigabytes >= 10 else f"{gigabytes:.1f} GB".replace(".0 ", " ")


if __name__ == "__main__":
    sys.exit(main())
