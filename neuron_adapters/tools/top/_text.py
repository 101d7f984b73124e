"""Pieces of a line: texts fitted to a number of cells of a terminal, numbers, bars and sparklines.

A line is a list of spans, a span a text and the name of its style. The widgets know the styles; plain text has
none. Colour alone carries no information.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuron_adapters.tools.shared.text import in_units

Span = tuple[str, str]
Line = list[Span]


@dataclass(frozen=True)
class Glyphs:
    """The characters to draw with."""

    full: str
    half: str
    track: str
    spark: str
    """From lowest to highest; the first means idle. No character fills its cell, so rows stay apart."""
    opened: str
    closed: str
    leaf: str
    rule: str
    ellipsis: str
    switch: str
    """Marks what takes turns."""
    mark: str
    """Marks the chosen line."""
    nothing: str
    """Stands for zero."""
    ascii_only: bool = False

    def text(self, text: str) -> str:
        """Replace what these characters do not include."""
        return text.encode("ascii", "replace").decode() if self.ascii_only and not text.isascii() else text


UNICODE = Glyphs("━", "╸", "─", "▁▂▃▄▅▆▇", "▾", "▸", " ", "─", "…", "⇄", "›", "·")  # noqa: RUF001 - not a bracket
ASCII = Glyphs("=", "-", ".", "_.:-=+#", "-", "+", " ", "-", "~", "*", ">", ".", ascii_only=True)


def fit(text: str, width: int, glyphs: Glyphs, *, right: bool = False) -> str:
    """Fit ``text`` into exactly ``width`` cells; cut it where it is longer."""
    text = glyphs.text(text)
    have = cells(text)
    if have > width:
        text = _cut(text, width - 1) + glyphs.ellipsis if width > 0 else ""
        have = cells(text)
    return " " * (width - have) + text if right else text + " " * (width - have)


def cells(text: str) -> int:
    """Count the cells of a terminal that ``text`` takes."""
    return len(text) if text.isascii() else _wide_cells(text)


def plain(line: Iterable[Span]) -> str:
    """Take the text of a line."""
    return "".join(text for text, _style in line).rstrip()


def bar(share: float, width: int, style: str, glyphs: Glyphs) -> Line:
    """Draw a bar for 0 to 1; more than 0.4% is visible."""
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    if not halves and share > 0.004:
        halves = 1
    whole, half = divmod(halves, 2)
    done = glyphs.full * whole + glyphs.half * half
    return [(done, style), (glyphs.track * (width - whole - half), "track")]


def spark(values: Sequence[float], width: int, glyphs: Glyphs, top: float = 0.0) -> str:
    """Draw the last ``width`` values as little columns. ``top``: least value of the highest column."""
    values = values[-width:]
    top = max(top, *values) if values else top
    last = len(glyphs.spark) - 1
    marks = [glyphs.spark[0 if value <= 0 or top <= 0 else max(1, round(value / top * last))] for value in values]
    return "".join(marks).rjust(width)


def percent(share: float) -> str:
    """Write ``87%``, in four cells."""
    return f"{min(999.0, 100 * share):3.0f}%"


def number(value: float) -> str:
    """Write a count or a rate in six cells at most."""
    if value < 9.95 and value % 1:
        return f"{value:.1f}"
    if value < 99_999.5:
        return f"{value:,.0f}"
    value, unit = in_units(value / 1000, 1000, "KMGTPE", 999.5)
    return "lots" if value >= 999.5 else f"{value:.1f}{unit}" if value < 99.95 else f"{value:.0f}{unit}"


def duration(seconds: float) -> str:
    """Write a time in six cells at most."""
    for factor, unit in ((1e6, "us"), (1e3, "ms"), (1, "s")):
        value = seconds * factor
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 99.95 else f"{value:.1f}{unit}"
    return f"{seconds:.0f}s" if seconds < 99_999 else "ages"


def _cut(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    while cells(text) > width:
        text = text[:-1]
    return text


@functools.lru_cache(maxsize=4096)
def _wide_cells(text: str) -> int:
    none = {"Mn", "Me", "Cf"}
    seen = (char for char in text if unicodedata.category(char) not in none)
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in seen)
