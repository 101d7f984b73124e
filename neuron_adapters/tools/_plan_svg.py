"""A plan as a drawing: one SVG file, light or dark as its reader is, of nothing but shapes and text."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from neuron_adapters.tools._devices import ranges
from neuron_adapters.tools._plan import Landed, Plan
from neuron_adapters.tools._plan_text import head, lanes_of
from neuron_rt import CoreRange

_WIDTH, _MARGIN, _EACH = 960, 32, 16  # NCs in a band
_GAP = 10  # between devices
_LANE, _BAR = 42, 34
_WIDEST = 72  # of a column
_LETTER = 6.7  # width of a letter of 12 px, about
_WRAP = 116
#: Dark enough for white letters, light enough for a dark page.
_COLOURS = ("#2f6db5", "#a8456b", "#2c7d6f", "#94632a", "#6a55b0", "#557a2b", "#b04e3a", "#4d6b80")

_STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 18px; font-weight: 600; }
.bar { font-size: 13px; font-weight: 600; fill: #ffffff; }
.soft { fill: #59636e; }
.none { fill: #9aa4ae; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.device { fill: #f3f5f8; }
.rule { stroke: #d1d9e0; }
.group { fill: none; stroke: #59636e; stroke-width: 1.5; }
.idle { fill: none; stroke: #9aa4ae; stroke-dasharray: 3 4; }
.error { fill: #b3261e; font-weight: 600; }
.warning { fill: #8a5a00; font-weight: 600; }
.note { fill: #59636e; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .soft, .note { fill: #9198a1; }
  .none { fill: #59636e; }
  .page { fill: #0d1117; stroke: #30363d; }
  .device { fill: #1a212b; }
  .rule { stroke: #30363d; }
  .group { stroke: #9198a1; }
  .idle { stroke: #59636e; }
  .error { fill: #ff8a80; }
  .warning { fill: #e3b341; }
}"""


def svg_of(plan: Plan) -> str:
    """The drawing, as text of an SVG file."""
    parts = [
        _text(_MARGIN, 44, "title", f"{head(plan).partition(':')[0]} with {_models(plan)}"),
        _text(_MARGIN, 66, "soft", f"{head(plan).partition(': ')[2]}. {plan.summary()}"),
    ]
    at = 84.0
    for drawn, height in _bands(plan, at):
        parts.append(drawn)
        at += height
    drawn, height = _legend(plan, at + 6)
    parts.append(drawn)
    at += height
    for finding in plan.findings:
        first, *rest = textwrap.wrap(finding.text, _WRAP)
        at += 6
        parts.append(
            f'<text x="{_MARGIN}" y="{at + 14:g}"><tspan class="{finding.level}">{finding.level}</tspan> '
            f"<tspan>{_clean(first)}</tspan></text>"
        )
        for line in rest:
            at += 17
            parts.append(_text(_MARGIN, at + 14, "", line))
        at += 17
    return "\n".join([*_head(at + 24, f"{head(plan)}. {plan.summary()}"), *parts, "</svg>\n"])


def _head(height: float, label: str) -> list[str]:
    size = f'width="{_WIDTH}" height="{height:g}" viewBox="0 0 {_WIDTH} {height:g}"'
    stripes = '<rect width="4" height="10" fill="#ffffff" opacity="0.28"/>'
    turned = 'width="10" height="10" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"'
    name = quoteattr(_clean(label, escaped=False))
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={name}>',
        f"<title>{_clean(label)}</title>",
        f"<style>{_STYLE}</style>",
        f'<defs><pattern id="turns" {turned}>{stripes}</pattern></defs>',
        f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1:g}" rx="10"/>',
    ]


def _models(plan: Plan) -> str:
    needs = [str(one.load.need) for one in plan.models]
    count = f"{len(needs)} models" if len(needs) > 1 else "a model"
    return f"{count} of {', '.join(needs)} NC{'s' * (needs != ['1'])}" if len(needs) <= 8 else count


class _Columns:
    """Where the NCs of a band stand: columns, devices a gap apart."""

    def __init__(self, plan: Plan, shown: Sequence[int]) -> None:
        """``shown``: instance NCs of the band."""
        size = plan.config.instance.ncs_per_device
        self.devices = [(device, list(ncs)) for device, ncs in itertools.groupby(shown, key=lambda nc: nc // size)]
        room = _WIDTH - 2 * _MARGIN - _GAP * (_EACH // min(size, _EACH) - 1)
        self.width = min(_WIDEST, room / min(_EACH, max(8, plan.config.instance.nc_count)))
        self.left: list[float] = []
        at = float(_MARGIN)
        for _device, ncs in self.devices:
            for _nc in ncs:
                self.left.append(at)
                at += self.width
            at += _GAP

    def span(self, first: int, count: int) -> tuple[float, float]:
        """Left edge and width of ``count`` columns."""
        return self.left[first], self.left[first + count - 1] + self.width - self.left[first]


def _bands(plan: Plan, at: float) -> Iterable[tuple[str, float]]:
    """Each band with its height: the visible NCs in order, and the rest of the instance where that is small."""
    shown = list(plan.visible)
    everything = range(plan.config.instance.nc_count)
    if len(everything) <= 64 and shown == sorted(shown):
        shown = list(everything)
    index = {nc: visible for visible, nc in enumerate(plan.visible)}
    lanes = lanes_of(plan)
    skipped: list[int] = []
    for first in range(0, len(shown), _EACH):
        band = shown[first : first + _EACH]
        visible = [index.get(nc) for nc in band]
        busy = any(nc is not None and plan.on[nc] for nc in visible)
        if first and not busy:
            skipped += [nc for nc in visible if nc is not None]
            continue
        drawn, height = _band(plan, _Columns(plan, band), visible, lanes, at)
        at += height
        yield drawn, height
    if skipped:
        yield _text(_MARGIN, at + 16, "soft", f"NC{ranges(skipped)}: no model"), 28.0


def _band(
    plan: Plan, columns: _Columns, visible: list[int | None], lanes: Sequence[Sequence[tuple[CoreRange, Landed]]],
    at: float,
) -> tuple[str, float]:  # fmt: skip
    """One band. ``visible``: the visible index of each column, None for NCs that are not the process's."""
    here = {nc: column for column, nc in enumerate(visible) if nc is not None}
    own = [lane for lane in lanes if any(one.start_nc + k in here for one, _m in lane for k in range(one.nc_count))]
    grouped = bool(plan.config.groups) and bool(here)
    top = at + 50 + (24 if grouped else 0)
    height = top - at + max(1, len(own)) * _LANE + 4
    parts, column = [], 0
    for device, ncs in columns.devices:
        left, width = columns.span(column, len(ncs))
        parts.append(f'<rect class="device" x="{left:g}" y="{at:g}" width="{width:g}" height="{height:g}" rx="6"/>')
        parts.append(
            _text(left + width / 2, at + 18, "soft", f"device {device}" if width > 60 else str(device), "middle")
        )
        for nc in ncs:
            left, width = columns.span(column, 1)
            mine = visible[column]
            name = f"NC{nc}" if mine in {None, nc} else f"NC{mine} ({nc})"
            parts.append(_text(left + width / 2, at + 38, "" if mine is not None else "none", name, "middle"))
            if mine is not None and not plan.on[mine]:
                box = f'x="{left + 5:g}" y="{top + 4:g}" width="{width - 10:g}" height="{_BAR}" rx="6"'
                parts.append(f'<rect class="idle" {box}/>')
            column += 1
    for number, group in enumerate(plan.config.groups):
        inside = [here[nc] for nc in range(group.start, group.start + group.size) if nc in here]
        if inside:
            left, width = columns.span(inside[0], len(inside))
            right, y = left + width - 5, at + 48
            parts.append(f'<path class="group" d="M{left + 5:g} {y + 7:g}v-4h{right - left - 5:g}v4"/>')
            parts.append(
                _text(left + width / 2, y + 18, "soft", f"group {number}" if width > 60 else str(number), "middle")
            )
    for row, lane in enumerate(own):
        y = top + 4 + row * _LANE
        for one, model in lane:
            inside = [here[nc] for nc in range(one.start_nc, one.start_nc + one.nc_count) if nc in here]
            if inside:
                parts.append(_bar(plan, columns, inside, visible, model, y))
    return "\n".join(parts), height + 14


def _bar(
    plan: Plan, columns: _Columns, inside: Sequence[int], visible: Sequence[int | None], model: Landed, y: float
) -> str:
    """A replica's bar: striped where other models take turns on its NCs."""
    left, width = columns.span(inside[0], len(inside))
    box = f'x="{left + 4:g}" y="{y:g}" width="{width - 8:g}" height="{_BAR}" rx="7"'
    colour = _COLOURS[plan.models.index(model) % len(_COLOURS)]
    tip = f"{model.title}: {model.load.need} NC{'s' * (model.load.need > 1)}, CPU {ranges(plan.cpus_of(model.ncs))}"
    clip = f"bar{left:g}-{y:g}"
    stripes = []
    for column in inside:
        nc = visible[column]
        if nc is not None and len(plan.on[nc]) > 1:
            start, size = columns.span(column, 1)
            start, end = max(start, left + 4), min(start + size, left + width - 4)
            if column + 1 in inside:  # the gap between devices, too
                end = columns.left[column + 1]
            stripes.append(
                f'<rect x="{start:g}" y="{y:g}" width="{end - start:g}" height="{_BAR}" fill="url(#turns)"/>'
            )
    parts = [f'<g><title>{_clean(tip)}</title><rect {box} fill="{colour}"/>']
    if stripes:
        parts += [f'<clipPath id="{clip}"><rect {box}/></clipPath><g clip-path="url(#{clip})">', *stripes, "</g>"]
    room = int((width - 20) / _LETTER)
    label = next((text for text in (model.title, model.mark) if len(text) <= room), "")
    parts.append(_text(left + width / 2, y + _BAR / 2 + 5, "bar", label, "middle"))
    return "".join([*parts, "</g>"])


def _legend(plan: Plan, at: float) -> tuple[str, float]:
    """What the marks mean, as far as there are any."""
    parts: list[str] = []
    left = float(_MARGIN)
    for shown, mark, text in (
        (any(len(on) > 1 for on in plan.on), 'fill="#4d6b80"', "striped: models take turns on this NeuronCore"),
        (any(not on for on in plan.on), 'class="idle"', "taken by the process, no model on it"),
        (len(plan.visible) < plan.config.instance.nc_count, "", "grey: left to other processes"),
    ):
        if not shown:
            continue
        if mark:
            box = f'x="{left:g}" y="{at:g}" width="26" height="14" rx="4"'
            parts.append(f"<rect {box} {mark}/>")
            if "fill" in mark:
                parts.append(f'<rect {box} fill="url(#turns)"/>')
        else:
            parts.append(_text(left, at + 11, "none", "NC"))
        parts.append(_text(left + 33, at + 11, "soft", text))
        left += 33 + len(text) * _LETTER + 24
    return "\n".join(parts), 26.0 if parts else 0.0


def _text(x: float, y: float, kind: str, text: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{style}{where}>{_clean(text)}</text>'


def _clean(text: str, *, escaped: bool = True) -> str:
    """Text that XML may hold."""
    allowed = "".join(char if char.isprintable() else "?" for char in text)
    return escape(allowed) if escaped else allowed
