"""A plan as text: NeuronCores as columns, models as bars, the ones that take turns one below the other."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Collection, Sequence
from typing import NamedTuple

from neuron_adapters.tools._devices import ranges
from neuron_adapters.tools._plan import FRAMEWORKS, Landed, Plan
from neuron_adapters.tools._terminal import cut
from neuron_rt import CoreRange
from neuron_rt.placement import listed

_CELL = 4  # characters a NeuronCore, its gap included
_MARGIN = len("device  ")
_MOST_LANES = 12
_MOST_NAME = 24


class _Glyphs(NamedTuple):
    left: str
    right: str
    alone: str
    shared: str
    edge: str
    idle: str


_PLAIN, _PRETTY = _Glyphs(*"[]=~|."), _Glyphs(*"┣┫━╍│·")

#: A bar: the first and last column it covers, the text in it, and what it is of.
Lane = list[tuple[CoreRange, Landed]]


def text_of(plan: Plan, *, width: int, pretty: bool) -> str:
    """The whole answer, in at most ``width`` columns, or 40."""
    width = max(width, 40)
    parts = [
        *textwrap.wrap(head(plan), width),
        "",
        *_picture(plan, width, _PRETTY if pretty else _PLAIN),
        "",
        *_table(plan, width),
    ]
    for finding in plan.findings:
        lines = textwrap.wrap(f"{finding.level}: {finding.text}", width, subsequent_indent="  ")
        parts += ["", *lines]
    return "\n".join([*parts, "", *textwrap.wrap(plan.summary(), width)])


def head(plan: Plan) -> str:
    """Instance, NeuronCores of the process, framework."""
    config, instance = plan.config, plan.config.instance
    count = len({cpu.index for cpu in config.cpus})
    owned = listed(plan.visible) if plan.visible == tuple(sorted(plan.visible)) else ranges(plan.visible)
    name = f"instance {instance.name}" if instance.name.isdecimal() else instance.name
    return (
        f"{name}: {len(plan.visible)} of {instance.nc_count} NeuronCores"
        f"{f' ({owned})' if plan.visible else ''}, {count} CPU{'s' * (count != 1)}; {FRAMEWORKS[plan.framework]}"
    )


def lanes_of(plan: Plan) -> list[Lane]:
    """Replicas in as few rows as models take turns: those of one row run side by side."""
    lanes: list[Lane] = []
    taken: list[set[int]] = []
    for model in plan.models:
        for one in model.ranges:
            ncs = set(range(one.start_nc, one.start_nc + one.nc_count))
            row = next((row for row, others in enumerate(taken) if others.isdisjoint(ncs)), len(lanes))
            if row == len(lanes):
                lanes.append([])
                taken.append(set())
            lanes[row].append((one, model))
            taken[row] |= ncs
    return lanes


def _picture(plan: Plan, width: int, glyphs: _Glyphs) -> list[str]:
    """Bands of NeuronCores; those without a model are named only."""
    count = len(plan.visible)
    if not count:
        return ["no NeuronCores"]
    each = next((fit for fit in (16, 8, 4) if _MARGIN + fit * _CELL <= width), 2)
    lanes, lines = lanes_of(plan), list[str]()
    bands = [range(first, min(first + each, count)) for first in range(0, count, each)]
    for busy, group in itertools.groupby(bands, key=lambda band: any(plan.on[nc] for nc in band) or band == bands[0]):
        some = list(group)
        if busy:
            for band in some:
                lines += [*([""] if lines else []), *_band(plan, lanes, band, glyphs)]
        else:
            lines += ["", f"NC{some[0][0]}-NC{some[-1][-1]}: idle"]
    return lines


def _band(plan: Plan, lanes: Sequence[Lane], band: range, glyphs: _Glyphs) -> list[str]:
    edges = {nc for nc in band[1:] if plan.device(nc) != plan.device(nc - 1)}
    lines = [("device", _devices(plan, band, glyphs.edge)), ("NC", _numbers(band, band, edges, glyphs.edge))]
    if plan.visible != tuple(range(len(plan.visible))):
        lines.append(("of all", _numbers([plan.visible[nc] for nc in band], band, edges, glyphs.edge)))
    if plan.config.groups:
        bars = [(group.start, group.start + group.size, str(index)) for index, group in enumerate(plan.config.groups)]
        lines.append(("group", _bars(bars, band, " " * len(band), glyphs)))
    fill = "".join(glyphs.shared if len(plan.on[nc]) > 1 else glyphs.alone for nc in band)
    idle = {nc for nc in band if not plan.on[nc]}
    drawn: list[str] = []
    for lane in lanes[:_MOST_LANES] or [[]]:
        bars = [(one.start_nc, one.start_nc + one.nc_count, model.title) for one, model in lane]
        drawn.append(_bars(bars, band, fill, glyphs, idle if not drawn else ()))
    lines += [("", text) for text in drawn if text.strip()]
    more = {model.mark for lane in lanes[_MOST_LANES:] for _one, model in lane if not model.ncs.isdisjoint(band)}
    if more:
        lines.append(("", f"and {len(more)} more, which the table has"))
    return [f"{label:<{_MARGIN}}{text}".rstrip() for label, text in lines]


def _devices(plan: Plan, band: range, edge: str) -> str:
    runs = ((device, len(list(ncs))) for device, ncs in itertools.groupby(band, key=plan.device))
    return edge.join(f"{device:^{_CELL * count - 1}}" for device, count in runs)


def _numbers(numbers: Sequence[int], band: range, edges: set[int], edge: str) -> str:
    gaps = ("" if nc == band[0] else edge if nc in edges else " " for nc in band)
    return "".join(f"{gap}{number:^{_CELL - 1}}" for gap, number in zip(gaps, numbers))


def _bars(
    bars: Sequence[tuple[int, int, str]], band: range, fill: str, glyphs: _Glyphs, idle: Collection[int] = ()
) -> str:
    """One row of bars, open where they go on in another band. ``fill``: what a bar is made of on each NeuronCore;
    ``idle``: NeuronCores that get a dot."""
    row = [" "] * (_CELL * len(band))
    for nc in idle:
        row[_CELL * (nc - band[0]) + 1] = glyphs.idle
    for first, end, text in bars:
        low, high = max(first, band[0]), min(end, band[-1] + 1)
        if low >= high:
            continue
        left, right = _CELL * (low - band[0]), _CELL * (high - band[0]) - 2
        row[left : right + 1] = [fill[at // _CELL] for at in range(left, right + 1)]
        room = right - left - 1
        label = text if len(text) <= room else text.partition(" ")[0]
        label = f" {label} " if len(label) + 2 <= room else label
        at = left + (right - left + 1 - len(label)) // 2
        row[at : at + len(label)] = label
        if first == low:
            row[left] = glyphs.left
        if end == high:
            row[right] = glyphs.right
    return "".join(row)


def _table(plan: Plan, width: int) -> list[str]:
    rows = [
        (
            model.mark,
            cut(model.load.name, _MOST_NAME),
            f"{model.load.need} NC{'s' * (model.load.need > 1)}",
            _places(model) if model.ranges else "does not fit",
            f"CPU {ranges(plan.cpus_of(model.ncs))}" if plan.cpus_of(model.ncs) else "",
        )
        for model in plan.models
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths) if size).rstrip() for row in rows)
    return [cut(line, width) for line in lines]


def _places(model: Landed) -> str:
    texts = [str(one) for one in model.ranges]
    return " ".join(texts) if len(texts) <= 4 else f"{texts[0]} ... {texts[-1]} ({len(texts)} replicas)"
