"""Draws the lines above and below the two large parts, and a whole frame as text for logs."""

from __future__ import annotations

import textwrap
import time
from dataclasses import replace

from neuron_adapters import __version__
from neuron_adapters.tools.shared.text import size
from neuron_adapters.tools.top import _cores, _table
from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._table import View
from neuron_adapters.tools.top._text import Glyphs, Line, bar, fit, number, percent, plain

_DETAILED = 36  # smallest half of the two lines that has room for details, in cells
_TALLEST = 20  # lines of NCs in a frame for logs


def title(picture: Picture, width: int, glyphs: Glyphs, state: str = "") -> Line:
    """Say what is looked at, and when. ``state``: a word for the right side, such as "paused"."""
    count = len(picture.processes)
    right = f"{count} process{'' if count == 1 else 'es'}  {time.strftime('%H:%M:%S', time.localtime(picture.time))} "
    state = f"{state}  " if state else ""
    name = picture.instance.name
    if len(picture.instances) > 1:
        name += " (processes differ)"
    ncs = len(picture.cores)
    about = f"{name}  {ncs} NC{'' if ncs == 1 else 's'} on {picture.cpu_count} CPUs"
    room = width - len(right) - len(state)
    left = " neuron-top "
    if room < len(left) + 20:
        right, room = right[-9:], width - 9 - len(state)
    version = f"{__version__}  "
    if room - len(left) - len(version) >= len(about):
        about = version + about
    return [(left, "title"), (f"{fit(about, room - len(left) - 1, glyphs)} ", "bar"), (state, "warn"), (right, "bar")]


def usage(picture: Picture, width: int, glyphs: Glyphs, only: str = "") -> list[Line]:
    """Draw CPU and memory in two lines: of the machine to the left, of all processes or of ``only`` to the right."""
    shown = [process for process in picture.processes if only in ("", process.key)]
    left = width // 2
    length = max(4, left - 34)
    user, system = (sum(getattr(process.change, what) for process in shown) for what in ("user", "system"))
    busy = picture.user + picture.system
    used = picture.memory_used / picture.memory_total if picture.memory_total else 0.0
    resident = sum(process.change.resident for process in shown)
    weights = sum(model.memory for process in shown for model in process.node.children)
    who = "process" if only else "processes"
    rows = (
        (
            "vCPU", busy, f"{percent(picture.user).strip()} user {percent(picture.system).strip()} sys",
            _cpus(user + system), f"{_cpus(user)} user {_cpus(system)} sys",
        ),
        (
            "Memory", used, f"{size(picture.memory_used, short=True)} of {size(picture.memory_total, short=True)}",
            size(resident, short=True), f"weights {size(weights, short=True)}" if weights else "",
        ),
    )  # fmt: skip
    lines = []
    for name, share, detail, total, more in rows:
        line: Line = [(f" {name:<8}", "head"), *bar(share, length, "load", glyphs), (f" {percent(share)}", "strong")]
        line.append((fit(f"  {detail}" if left >= _DETAILED else "", left - length - 14, glyphs), "dim"))
        line += [(f"{who} ", "head"), (f"{total:>5}", "strong")]
        room = width - left - len(who) - max(5, len(total)) - 1
        lines.append([*line, (f"  {more}" if len(more) + 2 <= room else "", "dim")])
    return lines


def nothing(where: str) -> str:
    """Say why there are no rows."""
    return f"No process has loaded a model. Those that publish in {where} appear here at once."


def text(picture: Picture, width: int, glyphs: Glyphs, where: str, view: View | None = None) -> str:
    """Write a whole frame, everything opened, without colour."""
    view = view or replace(View(), whole=True)
    instance = picture.instance
    picture = replace(picture, history={})  # of two looks, there is none
    layout = _cores.plan(instance.device_count, instance.ncs_per_device, width, _TALLEST)
    lines = [title(picture, width, glyphs), []]
    lines += _cores.draw(picture, layout, width, glyphs)
    lines += [[], *usage(picture, width, glyphs), []]
    rows = _table.rows(picture, view)
    if rows:
        lines += [
            _table.head(picture, width, view, glyphs),
            *(_table.draw(picture, row, width, glyphs) for row in rows),
        ]
    else:
        said = textwrap.wrap(glyphs.text(nothing(where)), max(width - 1, 1), break_on_hyphens=False)
        lines += [[(f" {line}", "")] for line in said]
    return "\n".join(plain(line) for line in lines)


def _cpus(share: float) -> str:
    """Write a number of CPUs in per cent of a CPU, as other tools do."""
    return f"{number(round(100 * share))}%"
