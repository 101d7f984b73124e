"""Writes a plan as text: NeuronCores as columns, models as bars; models that take turns are one below the other."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from neuron_adapters.tools.plan._layout import Band, Bar, bands_of
from neuron_adapters.tools.plan._plan import Landed, Plan
from neuron_adapters.tools.shared.text import cut, ranges

_CELL = 4  # characters a NeuronCore, its gap included
_MARGIN = len("device  ")
_MOST_ROWS = 12
_LONGEST_NAME = 24


class _Glyphs(NamedTuple):
    left: str
    right: str
    alone: str
    shared: str
    edge: str
    idle: str


_PLAIN, _PRETTY = _Glyphs(*"[]=~|."), _Glyphs(*"┣┫━╍│·")


def text_of(plan: Plan, *, width: int, pretty: bool) -> str:
    """Write the whole answer, in at most ``width`` columns, or 40."""
    width = max(width, 40)
    parts = [
        *textwrap.wrap(": ".join(plan.heading), width),
        "",
        *_picture(plan, width, _PRETTY if pretty else _PLAIN),
        "",
        *_table(plan, width),
    ]
    for finding in plan.findings:
        parts += ["", *textwrap.wrap(f"{finding.level}: {finding.text}", width, subsequent_indent="  ")]
    return "\n".join([*parts, "", *textwrap.wrap(plan.summary(), width)])


def _picture(plan: Plan, width: int, glyphs: _Glyphs) -> list[str]:
    """Draw bands of NeuronCores; name only those without a model."""
    if not plan.visible:
        return ["no NeuronCores"]
    bands = bands_of(plan, plan.visible, next((fit for fit in (16, 8, 4) if _MARGIN + fit * _CELL <= width), 2))
    lines = list[str]()
    for drawn, run in itertools.groupby(bands, key=lambda band: any(band.use) or band is bands[0]):
        some = list(run)
        if drawn:
            for band in some:
                lines += [*([""] if lines else []), *_band(band, glyphs)]
        else:
            lines += ["", f"NC{some[0].visible[0]}-NC{some[-1].visible[-1]}: idle"]
    return lines


def _band(band: Band, glyphs: _Glyphs) -> list[str]:
    gaps = ["", *itertools.chain(*([" "] * (count - 1) + [glyphs.edge] for _device, count in band.devices))]
    lines = [
        ("device", glyphs.edge.join(f"{device:^{_CELL * count - 1}}" for device, count in band.devices)),
        ("NC", _numbers(band.visible, gaps)),
    ]
    if band.plan.visible != tuple(range(len(band.plan.visible))):
        lines.append(("of all", _numbers(band.ncs, gaps)))
    if band.plan.config.groups:
        lines.append(("group", _bars([(str(index), bar) for index, bar in band.groups], " " * len(band.ncs), glyphs)))
    fill = "".join(glyphs.shared if models > 1 else glyphs.alone for models in band.use)
    for place, row in enumerate(band.rows[:_MOST_ROWS] or [[]]):
        bars = [(model.title, bar) for model, bar in band.replicas(row)]
        text = _bars(bars, fill, glyphs, () if place else band.idle)
        if text.strip():
            lines.append(("", text))
    here = set(band.visible)
    more = {model.mark for row in band.rows[_MOST_ROWS:] for _replica, model in row if not model.ncs.isdisjoint(here)}
    if more:
        lines.append(("", f"and {len(more)} more: see the table"))
    return [f"{label:<{_MARGIN}}{text}".rstrip() for label, text in lines]


def _numbers(numbers: Sequence[int | None], gaps: Sequence[str]) -> str:
    return "".join(f"{gap}{number:^{_CELL - 1}}" for gap, number in zip(gaps, numbers))


def _bars(bars: Sequence[tuple[str, Bar]], fill: str, glyphs: _Glyphs, idle: Iterable[int] = ()) -> str:
    """Draw a row of bars, open where they go on in another band. ``fill``: what a bar is made of in each column;
    ``idle``: columns that get a dot."""
    row = [" "] * (_CELL * len(fill))
    for column in idle:
        row[_CELL * column + 1] = glyphs.idle
    for text, bar in bars:
        left, right = _CELL * bar.first, _CELL * (bar.first + bar.width) - 2
        row[left : right + 1] = [fill[at // _CELL] for at in range(left, right + 1)]
        room = right - left - 1
        label = text if len(text) <= room else text.partition(" ")[0]
        label = f" {label} " if len(label) + 2 <= room else label
        at = left + (right - left + 1 - len(label)) // 2
        row[at : at + len(label)] = label
        if bar.begins:
            row[left] = glyphs.left
        if bar.ends:
            row[right] = glyphs.right
    return "".join(row)


def _table(plan: Plan, width: int) -> list[str]:
    rows = [
        (
            model.mark,
            cut(model.load.name, _LONGEST_NAME),
            model.load.size,
            _places(model) if model.ranges else "does not fit",
            f"CPU {ranges(plan.cpus_of(model.ncs))}" if plan.cpus_of(model.ncs) else "",
        )
        for model in plan.models
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths) if size).rstrip() for row in rows)
    return [cut(line, width) for line in lines]


def _places(model: Landed) -> str:
    texts = [str(replica) for replica in model.ranges]
    return " ".join(texts) if len(texts) <= 4 else f"{texts[0]} ... {texts[-1]} ({len(texts)} replicas)"
