"""Draws the tree of processes, models and replicas: which rows there are, in which order, and each as a line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from neuron_adapters.tools.shared.text import ranges, size
from neuron_adapters.tools.top._model import Picture
from neuron_adapters.tools.top._nodes import Key, Node, Process
from neuron_adapters.tools.top._text import Glyphs, Line, cells, duration, fit, number, percent, spark

_T = TypeVar("_T")
_NAME = 22  # cells of a name at least, where there is room for other columns
_WIDEST_NAME = 44
_TREND = 16

ORDERS: dict[str, Callable[[Picture, Node], float]] = {
    "calls/s": lambda _picture, node: -node.calls,
    "busy": lambda _picture, node: -node.busy,
    "p99": lambda picture, node: -(picture.latency(node.key) or (0.0, 0.0))[1],
    "p50": lambda picture, node: -(picture.latency(node.key) or (0.0, 0.0))[0],
    "sw/s": lambda _picture, node: -node.switches,
    "err": lambda _picture, node: -node.errors,
    "mem": lambda _picture, node: -node.memory,
}
"""What can be sorted by, the largest first; by NC where none is chosen."""
CHOICES = ("ncs", "busy", "calls/s", "p99", "sw/s", "err", "mem", "name")
"""In the order in which a key goes through them."""


@dataclass(frozen=True)
class View:
    """The user's choice of what to see."""

    only: str = ""
    """The key of a process; empty for all."""
    order: str = CHOICES[0]
    reverse: bool = False
    words: str = ""
    """Only rows with this text in them."""
    whole: bool | None = None
    """Whether everything is opened (True) or closed (False); None opens processes alone."""
    turned: frozenset[Key] = field(default=frozenset())
    """Rows that are the other way round."""

    def is_open(self, node: Node) -> bool:
        """Whether the children of a row are shown."""
        usual = not node.key.model if self.whole is None else self.whole
        return usual is not (node.key in self.turned)

    def turn(self, key: Key) -> View:
        """Open a row that is closed, close one that is open."""
        return replace(self, turned=self.turned ^ {key})


@dataclass(slots=True)
class Row:
    """A row: ``depth`` 0 for a process, 1 for a model, 2 for a replica. ``opened`` is None where there is nothing to
    open."""

    process: Process
    node: Node
    depth: int
    opened: bool | None


@dataclass(frozen=True)
class Column:
    """A column of the table. ``text`` is a row's cell, and its style."""

    head: str
    width: int
    text: Callable[[Picture, Row, Glyphs], tuple[str, str]]
    right: bool = True


def rows(picture: Picture, view: View) -> list[Row]:
    """List the rows that are shown, from top to bottom."""
    words = view.words.lower()
    shown: list[Row] = []
    for process in _sorted(picture, view, picture.processes, lambda process: process.node):
        if view.only not in ("", process.key):
            continue
        models = process.node.children
        if words and words not in f"{process.label} {process.change.owner.pid} {process.change.owner.command}".lower():
            models = [model for model in models if words in f"{model.name} {model.note}".lower()]
            if not models:
                continue
        opened = view.is_open(process.node) if models else None
        shown.append(Row(process, process.node, 0, opened))
        if not opened:
            continue
        for model in _sorted(picture, view, models, lambda model: model):
            opened = view.is_open(model) if model.children else None
            shown.append(Row(process, model, 1, opened))
            if opened:
                shown += [Row(process, replica, 2, None) for replica in model.children]
    return shown


@functools.lru_cache(maxsize=16)
def columns(width: int, trend: bool = True) -> tuple[int, tuple[Column, ...]]:
    """Choose the columns that have room beside the name; its width, and they. ``trend``: whether to show a history."""
    room = width - 1 - _NAME
    if width < 60:
        room = width - 1 - 14
    chosen = []
    for column in _BY_WORTH:
        if column.text is _trend and not trend:
            continue
        if column.width + 1 <= room:
            room -= column.width + 1
            chosen.append(column)
        elif column.width:
            break
    shown = [column for column in _COLUMNS if column in chosen]
    name = width - 1 - sum(column.width + 1 for column in shown)
    if _NOTE in shown or name > _WIDEST_NAME:
        rest = name - min(name, _WIDEST_NAME)
        shown = [column if column is not _NOTE else replace(_NOTE, width=_NOTE.width + rest) for column in shown]
        name = width - 1 - sum(column.width + 1 for column in shown)
    return name, tuple(shown)


def head(picture: Picture, width: int, view: View, glyphs: Glyphs) -> Line:
    """Draw the heads of the columns, with a mark on the column that rows are sorted by."""
    name, shown = columns(width, bool(picture.history))
    arrow = ("^" if view.reverse else "v") if glyphs.ascii_only else ("▴" if view.reverse else "▾")
    line: Line = [_head("name", " PROCESS / MODEL", name + 1, view, arrow, glyphs, right=False)]
    for column in shown:
        text, style = _head(column.head.lower(), column.head, column.width, view, arrow, glyphs, right=column.right)
        line.append((" " + text, style))
    return line


def head_at(width: int, x: int) -> str:
    """Find the order that a click on the heads asks for; empty where there is none."""
    name, shown = columns(width)
    at = name + 1
    if x <= at:
        return "name"
    for column in shown:
        at += column.width + 1
        if x < at:
            order = column.head.lower()
            return order if order in CHOICES or order in ORDERS else ""
    return ""


def draw(picture: Picture, row: Row, width: int, glyphs: Glyphs, *, chosen: bool = False) -> Line:
    """Draw a row as a line."""
    name, shown = columns(width, bool(picture.history))
    sign = glyphs.leaf if row.opened is None else glyphs.opened if row.opened else glyphs.closed
    style = f"p{row.process.colour}"
    line: Line = [(glyphs.mark if chosen else " ", "mark")]
    if row.depth == 0:
        before = f"{sign} {row.process.number} "
        line += [(before, style), (fit(row.node.name, name - len(before), glyphs), "strong")]
    else:
        before = f"{'  ' * row.depth}{sign} "
        line += [(before, style), (fit(row.node.name, name - len(before), glyphs), "" if row.depth == 1 else "dim")]
    for column in shown:
        text, style = column.text(picture, row, glyphs)
        line.append((" " + fit(text, column.width, glyphs, right=column.right), style))
    return line


def _sorted(picture: Picture, view: View, items: Sequence[_T], node: Callable[[_T], Node]) -> list[_T]:
    key = ORDERS.get(view.order)
    if key is not None:
        return sorted(items, key=lambda item: key(picture, node(item)), reverse=view.reverse)
    if view.order == "name":
        return sorted(items, key=lambda item: node(item).name.lower(), reverse=view.reverse)
    return list(reversed(items)) if view.reverse else list(items)


def _head(order: str, text: str, width: int, view: View, arrow: str, glyphs: Glyphs, *, right: bool) -> tuple[str, str]:
    if order != view.order or (order == "ncs" and not view.reverse):
        return fit(text, width, glyphs, right=right), "head"
    text = f"{text if cells(text) < width else text[: width - 1]}{arrow}"
    return fit(text, width, glyphs, right=right), "sorted"


def _rate(value: float, glyphs: Glyphs, style: str = "") -> tuple[str, str]:
    return (number(value), style) if value else (glyphs.nothing, "dim")


def _latency(place: int) -> Callable[[Picture, Row, Glyphs], tuple[str, str]]:
    def text(picture: Picture, row: Row, glyphs: Glyphs) -> tuple[str, str]:
        latency = picture.latency(row.node.key)
        return (duration(latency[place]), "") if latency else (glyphs.nothing, "dim")

    return text


def _errors(picture: Picture, row: Row, glyphs: Glyphs) -> tuple[str, str]:
    """Write ``3!`` where some are new."""
    node = row.node
    if node.fresh_errors and picture.seconds:
        return f"{number(node.errors)}!", "bad"
    return _rate(node.errors, glyphs, "warn")


def _trend(picture: Picture, row: Row, glyphs: Glyphs) -> tuple[str, str]:
    return spark(picture.series(row.node.key), _TREND, glyphs), "spark"


_COLUMNS = (
    Column("NCS", 7, lambda _p, row, _g: (ranges(row.node.ncs[:64]) or "none", "" if row.node.ncs else "dim")),
    Column("CALLS", 6, lambda _p, row, _g: (number(row.node.total_calls), "dim")),
    Column("CALLS/S", 7, lambda _p, row, g: _rate(row.node.calls, g)),
    Column("HISTORY", _TREND, _trend, right=False),
    Column("P50", 6, _latency(0)),
    Column("P99", 6, _latency(1)),
    Column("BUSY", 5, lambda _p, row, _g: (percent(row.node.busy), "" if row.node.busy else "dim")),
    Column("QUEUE", 5, lambda _p, row, g: _rate(round(row.node.waiting, 1), g, "switch")),
    Column("SWITCHES", 8, lambda _p, row, g: _rate(row.node.total_switches, g, "dim")),
    Column("SW/S", 5, lambda _p, row, g: _rate(round(row.node.switches, 1), g, "switch")),
    Column("ERR", 5, _errors),
    Column("MEM", 5, lambda _p, row, _g: (size(row.node.memory, short=True) if row.node.memory else "", "")),
    Column("WHAT", 20, lambda _p, row, _g: (row.node.note, "dim"), right=False),
)
_BY_HEAD = {column.head: column for column in _COLUMNS}
_NOTE = _BY_HEAD["WHAT"]
_BY_WORTH = [
    _BY_HEAD[name]
    for name in (
        "BUSY", "CALLS/S", "P99", "NCS", "SW/S", "P50", "ERR", "MEM", "HISTORY", "QUEUE", "SWITCHES", "CALLS", "WHAT",
    )
]  # fmt: skip
