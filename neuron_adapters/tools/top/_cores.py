"""Draws the NeuronCores as lines: as much of each as there is room for.

``full``: a line for each NC, its bar and the model that keeps it busy, in blocks of a device. ``dense``: a small bar
for each NC, devices side by side. ``mini``: one character for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuron_adapters.tools.shared.text import ranges
from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._nodes import Core, Process
from neuron_adapters.tools.top._text import Glyphs, Line, bar, cells, fit, percent, spark

LEVELS = ("full", "dense", "mini")
_NARROWEST, _WIDEST = 37, 84  # cells of a block of a device
_GAP = 2
_SPARK = 10
_CELL = 8  # cells of an NC in ``dense``, with the space before it


@dataclass(frozen=True)
class Plan:
    """How the NCs are laid out. ``columns``: devices side by side."""

    level: str
    columns: int
    height: int


def plan(device_count: int, per_device: int, width: int, height: int, level: str = "") -> Plan:
    """Choose the largest level that fits ``height`` lines, or take ``level``; with as few columns as fit."""
    for chosen in [level] if level else LEVELS:
        columns = _columns(chosen, device_count, per_device, width, height)
        if columns:
            lines = -(-device_count // columns) * (1 + per_device if chosen == "full" else 1)
            if lines <= height or level or chosen == "mini":
                return Plan(chosen, columns, lines)
    return plan(device_count, per_device, width, height, "mini")


def draw(picture: Picture, layout: Plan, width: int, glyphs: Glyphs, only: str = "") -> list[Line]:
    """Draw the lines. ``only``: the key of the only process whose NCs are shown with what runs on them."""
    per_device = picture.instance.ncs_per_device
    devices = [picture.cores[first : first + per_device] for first in range(0, len(picture.cores), per_device)]
    blocks = [_DRAW[layout.level](picture, cores, layout, width, glyphs, only) for cores in devices]
    lines: list[Line] = []
    gap = [(" " * (1 if layout.level == "mini" else _GAP), "")]
    for first in range(0, len(blocks), layout.columns):
        row = blocks[first : first + layout.columns]
        for index in range(len(row[0])):
            line: Line = [_margin(layout, devices[first][0].nc)]
            for place, block in enumerate(row):
                line += (gap if place else []) + (block[index] if index < len(block) else [])
            lines.append(line)
    return lines


def owner_at(picture: Picture, layout: Plan, width: int, x: int, y: int) -> Process | None:
    """Find the process whose NC was drawn there, or None."""
    per_device = picture.instance.ncs_per_device
    height = 1 + per_device if layout.level == "full" else 1
    if layout.level == "mini":
        column, within = divmod(x - _MARGIN, per_device + 1)
    else:
        block = _block(layout.columns, width)
        column, offset = divmod(x - 1, block + _GAP)
        within = (offset - _label(len(picture.cores))) // _CELL if layout.level == "dense" else y % height - 1
    device = y // height * layout.columns + column
    nc = device * per_device + within
    if not (0 <= column < layout.columns and 0 <= within < per_device and 0 <= nc < len(picture.cores)):
        return None
    return picture.cores[nc].process


_MARGIN = 6  # cells before a line of ``mini``: the number of its first NC


def _margin(layout: Plan, nc: int) -> tuple[str, str]:
    return (f"{nc:>{_MARGIN - 1}} ", "dim") if layout.level == "mini" else (" ", "")


def _columns(level: str, device_count: int, per_device: int, width: int, height: int) -> int:
    """Count the devices that fit side by side; 0 where not even one does."""
    if level == "mini":
        return max(1, min(device_count, (width - _MARGIN) // (per_device + 1)))
    narrowest = _NARROWEST if level == "full" else _label(device_count * per_device) + per_device * _CELL
    most = min(device_count, (width - 1 + _GAP) // (narrowest + _GAP))
    if most < 1 or level == "dense":
        return max(0, most)
    least = min(most, -(-(width - 1) // (_WIDEST + _GAP)))
    fits = [count for count in range(least, most + 1) if -(-device_count // count) * (1 + per_device) <= height]
    even = [count for count in fits if device_count % count == 0]
    return (even or fits or [most])[0]


def _block(columns: int, width: int) -> int:
    return (width - 1 + _GAP) // columns - _GAP


def _label(nc_count: int) -> int:
    """Count the cells of ``60-63``, and a space."""
    return 2 * len(str(nc_count - 1)) + 2


def _full(picture: Picture, cores: Sequence[Core], layout: Plan, width: int, glyphs: Glyphs, only: str) -> list[Line]:
    block = _block(layout.columns, width)
    index = cores[0].nc // picture.instance.ncs_per_device
    title = f"device {index} "
    trend = f" {spark(picture.series((index,)), _SPARK, glyphs, top=1.0)}" if picture.history else ""
    mean = percent(sum(core.share for core in cores) / len(cores))
    rule = glyphs.rule * (block - len(title) - len(trend) - 6)
    head: Line = [(title, "head"), (rule, "track"), (f"{trend} ", "spark"), (f"{mean} ", "head")]
    return [head, *(_core(picture, core, block, glyphs, only) for core in cores)]


def _core(picture: Picture, core: Core, width: int, glyphs: Glyphs, only: str) -> Line:
    """Draw an NC: number, bar, percentage, history where there is room, its process and model."""
    trend = 16 if width >= 64 and picture.history else 0
    room = width - 4 - 6 - (trend + 1 if trend else 0)
    length = max(6, int(room * 0.45))
    shown = core.process is not None and only in ("", core.process.key)
    line: Line = [(f"{core.nc:>3} ", "" if shown else "dim")]
    if core.process is None or not shown:
        line += [(glyphs.track * length, "track"), (" " * 6, ""), *([(" " * (trend + 1), "")] if trend else [])]
        text = "free" if core.process is None else f"{core.process.number} ({core.process.label})"
        return [*line, (fit(text, room - length, glyphs), "dim")]
    style = f"p{core.process.colour}"
    line += [*bar(core.share, length, style, glyphs), (f" {percent(core.share)} ", "strong" if core.share else "dim")]
    if trend:
        line.append((f"{spark(picture.series(core.nc), trend, glyphs, top=1.0)} ", "spark"))
    return line + _who(core, room - length, glyphs, style, alone=bool(only))


def _who(core: Core, width: int, glyphs: Glyphs, style: str, *, alone: bool) -> Line:
    """Write ``3 resnet50.pt +1``: the tab of the process, its busiest model, how many models took turns with it."""
    process = core.process
    tab = "" if alone or process is None else f"{process.number} "
    others = (core.active or len(core.models)) - 1
    after = (f" {glyphs.switch}" if core.switching else "") + (f" +{others}" if others > 0 else "")
    label = process.label if process else ""
    name, kind = (core.models[0], "" if core.share else "dim") if core.models else (f"({label})", "dim")
    if width >= 44 and core.models and not alone:
        name = f"{label}: {name}"
    room = max(0, width - len(tab) - len(after))
    name = fit(name, min(room, cells(glyphs.text(name))), glyphs)
    rest = " " * (width - len(tab) - cells(name) - len(after))
    return [(tab, style), (name, kind), (after, "switch" if core.switching else "dim"), (rest, "")]


def _dense(picture: Picture, cores: Sequence[Core], layout: Plan, width: int, glyphs: Glyphs, only: str) -> list[Line]:
    per_device = picture.instance.ncs_per_device
    block = _block(layout.columns, width)
    start = _label(len(picture.cores))
    each = (block - start) // per_device
    label = ranges(core.nc for core in cores)
    line: Line = [(fit(label, start - 1, glyphs, right=True), "dim")]
    for core in cores:
        line.append((" ", ""))
        if core.process is None or only not in ("", core.process.key):
            line += [(glyphs.track * (each - 5), "track"), (" " * 4, "")]
            continue
        mark = glyphs.switch if core.switching else " "
        line += bar(core.share, each - 5, f"p{core.process.colour}", glyphs)
        line += [(f"{min(100, round(100 * core.share)):>3}", "strong" if core.share else "dim"), (mark, "switch")]
    used = sum(cells(text) for text, _style in line)
    return [[*line, (" " * (block - used), "")]]


def _mini(
    _picture: Picture, cores: Sequence[Core], _layout: Plan, _width: int, glyphs: Glyphs, only: str
) -> list[Line]:
    line: Line = []
    for core in cores:
        if core.process is None or only not in ("", core.process.key):
            line.append((glyphs.nothing if core.process is None else " ", "dim"))
        else:
            line.append((spark([core.share], 1, glyphs, top=1.0), f"p{core.process.colour}"))
    return [line]


_DRAW = {"full": _full, "dense": _dense, "mini": _mini}
