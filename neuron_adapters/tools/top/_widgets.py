"""Puts lines on the screen. A line is drawn again only where it has changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from neuron_adapters.tools.top._text import Line

#: A process's colour has no meaning. Orange marks models that take turns, red marks failures.
COLOURED = {
    "p0": "#7aa2f7", "p1": "#9ece6a", "p2": "#d8c98a", "p3": "#bb9af7", "p4": "#6fd0e0", "p5": "#e0a3c2",
    "dim": "#6b7386", "track": "#2f3648", "spark": "#4f5870", "load": "#9aa5ce", "head": "#9aa5ce",
    "strong": "bold #e6e9f2", "title": "bold #10141c on #7aa2f7", "bar": "#c0c8e0 on #1d2433",
    "bad": "bold #f7768e", "warn": "#f7768e", "switch": "bold #ff9e64", "mark": "bold #7aa2f7",
    "sorted": "bold #e6e9f2", "chosen": "on #232b3d", "tab": "bold #9ece6a", "key": "bold #c0c8e0",
}  # fmt: skip
#: The same for terminals without colours, and users who want none.
PLAIN = {
    "strong": "bold", "title": "bold reverse", "bad": "bold", "switch": "bold", "mark": "bold", "head": "underline",
    "sorted": "bold underline", "chosen": "reverse", "tab": "bold", "key": "bold",
}  # fmt: skip


class Lines(ScrollView, inherit_bindings=False):  # the keys choose lines
    """Shows lines of spans, which are made when they are seen."""

    def __init__(self, styles: dict[str, str], *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._palette = {name: Style.parse(style) for name, style in styles.items()}
        self._combined: dict[tuple[str, bool], Style] = {}
        self._make: Callable[[int], Line] = lambda _y: []
        self._shown: dict[int, Line] = {}
        self._count = 0

    def show(self, count: int, make: Callable[[int], Line]) -> None:
        """Show ``count`` lines from now on; ``make`` makes a line."""
        self._make = make
        if count != self._count:
            self._count = count
            self.virtual_size = Size(0, count)
        first = round(self.scroll_y)
        seen = range(first, first + self.size.height)
        shown = {y: make(y) for y in seen if y < count}
        width = self.size.width
        changed = [Region(0, y - first, width, 1) for y in seen if shown.get(y) != self._shown.get(y)]
        if changed:
            self.refresh(*changed)
        self._shown = shown

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on."""
        self.show(len(lines), lines.__getitem__)

    def forget(self) -> None:
        """Draw all lines next time, since the size has changed."""
        self._shown = {}

    def render_line(self, y: int) -> Strip:
        """Make a line as Textual wants it."""
        y += round(self.scroll_y)
        width = self.scrollable_content_region.width
        if y >= self._count:
            return Strip.blank(width, self._style("", chosen=False))
        line = self._shown.get(y)
        if line is None:
            line = self._shown[y] = self._make(y)
        chosen = bool(line) and line[0][1] == "chosen"
        segments = [
            Segment("".join(text for text, _style in spans), self._style(name, chosen=chosen))
            for name, spans in itertools.groupby(line, key=lambda span: span[1])
        ]
        return Strip(segments).adjust_cell_length(width, self._style("", chosen=chosen))

    def notify_style_update(self) -> None:
        """Forget the styles: the sheet's colours have changed."""
        self._combined.clear()
        super().notify_style_update()

    def _style(self, name: str, *, chosen: bool) -> Style:
        """Put a style on the widget's own colours."""
        style = self._combined.get((name, chosen))
        if style is None:
            style = self.rich_style + self._palette.get(name, Style.null())
            if chosen:
                style += self._palette["chosen"]
            self._combined[name, chosen] = style
        return style

    def reveal(self, y: int) -> None:
        """Scroll until a line is visible."""
        self.scroll_to_region(Region(0, y, 1, 1), animate=False, force=True)
