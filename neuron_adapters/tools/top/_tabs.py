"""Draws the bar of tabs: ``all``, and a tab for each process."""

from __future__ import annotations

from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._text import Glyphs, Line, cells, fit

_LONGEST = 20  # cells of a name


def tabs(picture: Picture, only: str, width: int, glyphs: Glyphs) -> tuple[Line, list[tuple[int, int, str]]]:
    """Draw the bar, with the chosen tab marked as documented: ``>1:all<``; and say where each tab is: its first cell,
    the cell after its last, the key of its process."""
    entries = [("", "1:all", "dim")]
    for process in picture.processes:
        label = fit(process.label, min(_LONGEST, cells(glyphs.text(process.label))), glyphs)
        entries.append((process.key, f"{process.number}:{label}", f"p{process.colour}"))
    chosen = next((place for place, entry in enumerate(entries) if entry[0] == only), 0)
    first, last = _window([cells(text) + 2 for _key, text, _style in entries], chosen, width - 4)
    line: Line = [(glyphs.ellipsis if first else " ", "dim")]
    spots = []
    at = 1
    for place in range(first, last):
        key, text, style = entries[place]
        marks = (">", "<") if place == chosen else (" ", " ")
        line += [(marks[0], "tab"), (text, "tab" if place == chosen else style), (marks[1], "tab")]
        spots.append((at, at + cells(text) + 2, key))
        at += cells(text) + 2
    if last < len(entries):
        line.append((f" {glyphs.ellipsis}", "dim"))
    return line, spots


def tab_at(picture: Picture, only: str, width: int, glyphs: Glyphs, x: int) -> str | None:
    """Find the tab at a cell: the key of its process, empty for all processes; None where there is no tab."""
    return next((key for first, end, key in tabs(picture, only, width, glyphs)[1] if first <= x < end), None)


def _window(widths: list[int], chosen: int, room: int) -> tuple[int, int]:
    """Choose the tabs to show: from the first on, moved along no further than the chosen tab needs."""
    first, used = 0, sum(widths[: chosen + 1])
    while used > room and first < chosen:
        used -= widths[first]
        first += 1
    last = chosen + 1
    while last < len(widths) and used + widths[last] <= room:
        used += widths[last]
        last += 1
    return first, last
