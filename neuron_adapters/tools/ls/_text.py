"""Writes what ``neuron-ls`` shows: the table of devices, and a drawing of how they are connected."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neuron_adapters.tools.ls._view import NONE, Process, View
from neuron_adapters.tools.shared.devices import Device, logical_config
from neuron_adapters.tools.shared.terminal import is_utf8, terminal_width
from neuron_adapters.tools.shared.text import cut, ranges, size

_LONGEST = 40  # characters of a command in the narrow table, as documented
_SHORTEST = 10
_PRETTY = str.maketrans("<>^v|-", "◄►▲▼│─")


@dataclass(frozen=True)
class _Column:
    head: str
    """One word, or two that stand one below the other."""
    cells: list[list[str]]
    """The lines of text for each device."""


def text_of(view: View, *, wide: bool, topology: bool) -> str:
    """Write the head, the table of devices, and the drawing of ``topology`` below it."""
    width = terminal_width()
    lines = _head(view, width)
    if wide:
        lines += _boxed(_wide_columns(view))
    else:
        columns = _device_columns(view)
        lines += _boxed(columns if topology else columns + _process_columns(view, width - len(_boxed(columns)[0])))
    if topology:
        drawing = _drawing(view.devices, width)
        lines += ["", "Neuron Device Topology", ""]
        lines += [line.translate(_PRETTY) for line in drawing] if is_utf8() else drawing
    if view.elsewhere:
        lines += ["", f"on no device of {view.instance.name}:"]
        lines += [f"  {owner}" if wide else f"  {cut(str(owner), width - 2)}" for owner in view.elsewhere]
    return "\n".join(lines)


def _head(view: View, width: int) -> list[str]:
    name, here = view.instance.name, view.configured.name
    if len(view.said) > 1:
        name += f" (processes differ: {', '.join(view.said)})"
    elif name != here:
        name += f" (of the running processes; here: {here})"
    lines = [cut(f"instance-type: {name}", width), f"instance-id: none (emulated on {view.cpu_count} CPUs)"]
    if logical_config(view.instance) > 1:
        lines.append(f"logical-neuroncore-config: {logical_config(view.instance)}")
    return lines


def _device_columns(view: View) -> list[_Column]:
    """Describe the devices. A PCI address goes without its domain: there is only one."""
    return [
        _of_device(view, "NEURON DEVICE", lambda device: str(device.index)),
        _of_device(view, "NEURON CORES", lambda device: str(len(device.ncs))),
        _of_device(view, "NEURON MEMORY", lambda device: size(device.memory)),
        _of_device(view, "CONNECTED DEVICES", lambda device: ", ".join(map(str, device.connected_to))),
        _of_device(view, "PCI BDF", lambda device: device.bdf.partition(":")[2]),
    ]


def _process_columns(view: View, room: int) -> list[_Column]:
    """List the processes on each device; commands as long as ``room`` allows, but no longer than documented."""
    pids = _of_process(view, "PID", lambda process, _device: str(process.pid))
    room -= len(_boxed([pids])[0]) - 1 + len("  |")
    longest = min(_LONGEST, max(_SHORTEST, room))
    return [pids, _of_process(view, "COMMAND", lambda process, _device: cut(process.short_title, longest))]


def _wide_columns(view: View) -> list[_Column]:
    """List all documented columns in the documented order, and the NCs that each process owns."""
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
        _of_process(view, "PID", lambda process, _device: str(process.pid)),
        _of_process(view, "COMMAND", lambda process, _device: process.title),
        _of_process(view, "RUNTIME VERSION", lambda process, _device: process.version),
        _of_process(
            view, "OWNED CORE IDS", lambda process, device: ranges(nc for nc in device.ncs if nc in process.ncs)
        ),
    ]


def _of_device(view: View, head: str, text: Callable[[Device], str]) -> _Column:
    return _Column(head, [[text(device) or NONE] for device in view.devices])


def _of_process(view: View, head: str, text: Callable[[Process, Device], str]) -> _Column:
    cells = [
        [text(process, device) or NONE for process in own] or [NONE]
        for device, own in zip(view.devices, view.processes)
    ]
    return _Column(head, cells)


def _boxed(columns: Sequence[_Column]) -> list[str]:
    """Draw a table in plain ASCII, as documented: heads centred, rules between devices where any has several lines."""
    heads = [column.head.partition(" ")[::2] for column in columns]
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


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _drawing(devices: Sequence[Device], width: int) -> list[str]:
    """Draw a torus as a square, anything else as a line that is folded to ``width``."""
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
    """Draw the links between two rows of a torus."""
    return [" " * 6 + (" " * 8).join(mark * 4) for mark in marks]
