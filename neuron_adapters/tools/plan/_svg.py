"""Draws a plan as one SVG file of shapes and text, light or dark as its viewer prefers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from neuron_adapters.tools.plan._layout import Band, Bar, bands_of
from neuron_adapters.tools.plan._plan import Landed, Plan
from neuron_adapters.tools.shared.text import mask_unprintable, ranges

_WIDTH, _MARGIN, _LENGTH = 960, 32, 16  # NCs in a band
_GAP = 10  # between devices
_ROW, _BAR = 42, 34
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
    """Draw the plan; the text of an SVG file."""
    name, about = plan.heading
    parts = [
        _text(_MARGIN, 44, "title", f"{name} with {_models(plan)}"),
        _text(_MARGIN, 66, "soft", f"{about}. {plan.summary()}"),
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
    return "\n".join([*_head(at + 24, f"{name}: {about}. {plan.summary()}"), *parts, "</svg>\n"])


def _head(height: float, label: str) -> list[str]:
    size = f'width="{_WIDTH}" height="{height:g}" viewBox="0 0 {_WIDTH} {height:g}"'
    stripes = '<rect width="4" height="10" fill="#ffffff" opacity="0.28"/>'
    turned = 'width="10" height="10" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"'
    label = mask_unprintable(label)
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(label)}>',
        f"<title>{escape(label)}</title>",
        f"<style>{_STYLE}</style>",
        f'<defs><pattern id="turns" {turned}>{stripes}</pattern></defs>',
        f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1:g}" rx="10"/>',
    ]


def _models(plan: Plan) -> str:
    needs = [str(model.load.need) for model in plan.models]
    count = f"{len(needs)} models" if len(needs) > 1 else "a model"
    return f"{count} of {', '.join(needs)} NC{'s' * (needs != ['1'])}" if len(needs) <= 8 else count


class _Columns:
    """Positions of the columns of a band; devices stand a gap apart."""

    def __init__(self, band: Band) -> None:
        instance = band.plan.config.instance
        room = _WIDTH - 2 * _MARGIN - _GAP * (_LENGTH // min(instance.ncs_per_device, _LENGTH) - 1)
        self.width = min(_WIDEST, room / min(_LENGTH, max(8, instance.nc_count)))
        self.left: list[float] = []
        at = float(_MARGIN)
        for _device, count in band.devices:
            for _column in range(count):
                self.left.append(at)
                at += self.width
            at += _GAP

    def span(self, first: int, count: int = 1) -> tuple[float, float]:
        """Left edge and width of ``count`` columns."""
        return self.left[first], self.left[first + count - 1] + self.width - self.left[first]


def _bands(plan: Plan, at: float) -> Iterable[tuple[str, float]]:
    """Draw each band, with its height: the visible NCs in order, and the rest of the instance where that is small."""
    shown = list(plan.visible)
    everything = range(plan.config.instance.nc_count)
    if len(everything) <= 64 and shown == sorted(shown):
        shown = list(everything)
    skipped: list[int] = []
    for place, band in enumerate(bands_of(plan, shown, _LENGTH)):
        if place and not any(band.use):
            skipped += [nc for nc in band.visible if nc is not None]
            continue
        drawn, height = _band(band, at)
        at += height
        yield drawn, height
    if skipped:
        yield _text(_MARGIN, at + 16, "soft", f"NC{ranges(skipped)}: no model"), 28.0


def _band(band: Band, at: float) -> tuple[str, float]:
    rows = [bars for bars in map(band.replicas, band.rows) if bars]
    grouped = bool(band.plan.config.groups) and any(nc is not None for nc in band.visible)
    top = at + 50 + (24 if grouped else 0)
    height = top - at + max(1, len(rows)) * _ROW + 4
    columns = _Columns(band)
    parts = [*_devices(band, columns, at, height, top + 4), *_groups(band, columns, at + 48)]
    for place, bars in enumerate(rows):
        parts += [_bar(band, columns, model, bar, top + 4 + place * _ROW) for model, bar in bars]
    return "\n".join(parts), height + 14


def _devices(band: Band, columns: _Columns, at: float, height: float, first_row: float) -> Iterator[str]:
    """Draw the devices, and their NCs by name; a box in the first row for each that is idle."""
    first = 0
    for device, count in band.devices:
        left, width = columns.span(first, count)
        yield f'<rect class="device" x="{left:g}" y="{at:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        yield _text(left + width / 2, at + 18, "soft", f"device {device}" if width > 60 else str(device), "middle")
        for column in range(first, first + count):
            left, width = columns.span(column)
            nc, visible = band.ncs[column], band.visible[column]
            name = f"NC{nc}" if visible in {None, nc} else f"NC{visible} ({nc})"
            yield _text(left + width / 2, at + 38, "none" if visible is None else "", name, "middle")
            if column in band.idle:
                box = f'x="{left + 5:g}" y="{first_row:g}" width="{width - 10:g}" height="{_BAR}" rx="6"'
                yield f'<rect class="idle" {box}/>'
        first += count


def _groups(band: Band, columns: _Columns, y: float) -> Iterator[str]:
    """Draw a bracket over each group."""
    for index, bar in band.groups:
        left, width = columns.span(bar.first, bar.width)
        right = left + width - 5
        yield f'<path class="group" d="M{left + 5:g} {y + 7:g}v-4h{right - left - 5:g}v4"/>'
        yield _text(left + width / 2, y + 18, "soft", f"group {index}" if width > 60 else str(index), "middle")


def _bar(band: Band, columns: _Columns, model: Landed, bar: Bar, y: float) -> str:
    """Draw the bar of a replica, striped where other models take turns on its NCs."""
    left, width = columns.span(bar.first, bar.width)
    box = f'x="{left + 4:g}" y="{y:g}" width="{width - 8:g}" height="{_BAR}" rx="7"'
    colour = _COLOURS[band.plan.models.index(model) % len(_COLOURS)]
    tip = f"{model.title}: {model.load.size}, CPU {ranges(band.plan.cpus_of(model.ncs))}"
    clip = f"bar{left:g}-{y:g}"
    stripes = []
    end = bar.first + bar.width
    for column in range(bar.first, end):
        if band.use[column] > 1:
            start, size = columns.span(column)
            # Up to the next column, over the gap between devices.
            stop = columns.left[column + 1] if column + 1 < end else min(start + size, left + width - 4)
            start = max(start, left + 4)
            stripes.append(
                f'<rect x="{start:g}" y="{y:g}" width="{stop - start:g}" height="{_BAR}" fill="url(#turns)"/>'
            )
    parts = [f'<g><title>{_clean(tip)}</title><rect {box} fill="{colour}"/>']
    if stripes:
        parts += [f'<clipPath id="{clip}"><rect {box}/></clipPath><g clip-path="url(#{clip})">', *stripes, "</g>"]
    room = int((width - 20) / _LETTER)
    label = next((text for text in (model.title, model.mark) if len(text) <= room), "")
    parts.append(_text(left + width / 2, y + _BAR / 2 + 5, "bar", label, "middle"))
    return "".join([*parts, "</g>"])


def _legend(plan: Plan, at: float) -> tuple[str, float]:
    """Explain the marks that the drawing has; the height of that."""
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


def _clean(text: str) -> str:
    """Escape text for XML."""
    return escape(mask_unprintable(text))
