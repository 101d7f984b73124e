"""Shows the live screen. A thread reads, the screen draws what has changed; nothing here waits for the processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from neuron_adapters.tools.top import _cores, _frame, _table
from neuron_adapters.tools.top._help import HELP, Help
from neuron_adapters.tools.top._model import History, Picture
from neuron_adapters.tools.top._nodes import Key
from neuron_adapters.tools.top._reading import Sight
from neuron_adapters.tools.top._table import Row, View
from neuron_adapters.tools.top._tabs import tab_at, tabs
from neuron_adapters.tools.top._text import Glyphs, Line, cells
from neuron_adapters.tools.top._widgets import COLOURED, PLAIN, Lines
from neuron_rt import Config

_HINTS = (("q", "quit"), ("?", "help"), ("a d", "tab"), ("x", "all"), ("/", "find"), ("c", "cores"), ("space", "hold"))
_QUICK = 0.3  # seconds to the second reading, which is the first to have rates
_PATIENCE = 2.0  # seconds in which a closed terminal must report an error


class TopApp(App[None]):
    """The screen of neuron-top."""

    CSS_PATH = "top.tcss"
    TITLE = "neuron-top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", show=False),
        Binding("question_mark,h,f1", "help", show=False),
        *(Binding(str(number), f"tab({number})", show=False) for number in range(1, 10)),
        Binding("a", "turn_tab(-1)", show=False),
        Binding("d", "turn_tab(1)", show=False),
        *(
            Binding(key, f"choose({step!r})", show=False)
            for key, step in (
                ("up,k", -1), ("down,j", 1), ("pageup", "up"), ("pagedown", "down"), ("home", "first"), ("end", "last"),
            )
        ),
        Binding("left", "open(False)", show=False),
        Binding("right", "open(True)", show=False),
        Binding("enter", "open", show=False),
        Binding("x", "open_all", show=False),
        Binding("s", "sort", show=False),
        Binding("r", "reverse", show=False),
        Binding("slash,f", "filter", show=False),
        Binding("escape", "clear", show=False),
        Binding("c", "level", show=False),
        Binding("space", "hold", show=False),
    ]  # fmt: skip

    class Arrived(Message):
        """A reading."""

        def __init__(self, sight: Sight) -> None:
            super().__init__()
            self.sight = sight

    def __init__(
        self, config: Config, read: Callable[[], Sight] | None, *, interval: float = 1.0, glyphs: Glyphs,
        coloured: bool = True,
    ) -> None:  # fmt: skip
        """``read`` is called every ``interval`` seconds in a thread of its own; without it, the
        caller calls ``take``."""
        super().__init__(ansi_color=None if coloured else True)
        self.animation_level = "none"
        self._where = str(config.state_dir)
        self._history = History(config)
        self._read = read
        self._interval = interval
        self._glyphs = glyphs
        self._styles = COLOURED if coloured else PLAIN
        self._coloured = coloured
        self._done = threading.Event()
        self._server = os.getppid()
        self._picture: Picture | None = None
        self._latest: Picture | None = None
        self._view = View()
        self._level = ""
        self._held = False
        self._gone = ""
        self._rows: list[Row] = []
        self._parts: dict[str, Lines] = {}
        self._chosen: Key | None = None
        self._layout = _cores.Plan("mini", 1, 1)

    # -- the screen ---------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Yield the parts from top to bottom."""
        for name in ("title", "cores", "usage", "head", "tree", "tabs", "hints"):
            yield Lines(self._styles, id=name)
        yield Input(id="words", placeholder="text in a name, file, command or process number", compact=True)

    def on_mount(self) -> None:
        """Begin to read."""
        self._parts = {str(part.id): part for part in self.screen.query(Lines)}
        for part in self._parts.values():
            part.can_focus = part.id == "tree"
        self.screen.set_class(not self._coloured, "-plain")
        self._parts["tree"].focus()
        if self.is_headless or self._read is None:
            self._start()
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, number)
        self._start()

    def on_unmount(self) -> None:
        """Read no more."""
        self._done.set()

    def take(self, sight: Sight) -> None:
        """Show a reading."""
        self._latest = self._history.add(sight)
        if not self._held:
            self._picture = self._latest
            self.draw()

    @on(Arrived)
    def _arrived(self, message: Arrived) -> None:
        self.take(message.sight)
        if not self.is_headless and not self._is_seen():
            os._exit(1)  # there is no terminal to write to, and nothing to put back

    def on_resize(self) -> None:
        """Lay everything out again."""
        self.call_after_refresh(self._redraw)

    def draw(self) -> None:
        """Show the picture; what has not changed stays as it is."""
        picture = self._picture
        if picture is None or not self._parts:
            return
        width, height = self.size
        view, glyphs = self._view, self._glyphs
        if view.only and picture.process(view.only) is None:
            self._gone = "that process has ended"
            self._view = view = replace(view, only="")
        self._arrange(picture, width, height)
        parts = self._parts
        state = "HELD" if self._held else ""
        parts["title"].show_lines([_frame.title(picture, width, glyphs, state)])
        if picture.error:
            parts["cores"].show_lines(_wrapped(picture.error, width, glyphs))
        else:
            inner = parts["cores"].scrollable_content_region.width or width
            parts["cores"].show_lines(_cores.draw(picture, self._layout, inner, glyphs, view.only))
        parts["usage"].show_lines(_frame.usage(picture, width, glyphs, view.only))
        parts["tabs"].show_lines([tabs(picture, view.only, width, glyphs)[0]])
        self._draw_tree(picture)

    def _draw_tree(self, picture: Picture) -> None:
        self._rows = rows = _table.rows(picture, self._view)
        tree = self._parts["tree"]
        width = tree.scrollable_content_region.width or self.size.width
        self._parts["head"].show_lines([_table.head(picture, width, self._view, self._glyphs)])
        chosen = self._place()
        if not rows:
            why = "nothing has that text" if self._view.words else _frame.nothing(self._where)
            tree.show_lines(_wrapped("" if picture.error else why, width, self._glyphs))
        else:
            tree.show(len(rows), lambda y: _line(picture, rows[y], width, self._glyphs, chosen=y == chosen))
        self._parts["hints"].show_lines([self._hints()])

    def _arrange(self, picture: Picture, width: int, height: int) -> None:
        """Give the parts their heights; the tree has what is left. Nothing is laid out anew where all stays."""
        instance = picture.instance
        roomy = height >= 30
        shown = {"usage": height >= 14, "hints": height >= 12, "head": True}
        fixed = 3 + 2 * shown["usage"] + shown["hints"] + 3 * roomy
        free = max(2, height - fixed)
        most = max(1, free - max(4, free * 2 // 5))
        layout = _cores.plan(instance.device_count, instance.ncs_per_device, width, most, self._level)
        self._layout = layout
        cores = self._parts["cores"]
        lines = len(_wrapped(picture.error, width, self._glyphs)) if picture.error else layout.height
        wanted = min(lines, most)
        if cores.styles.height is None or cores.styles.height.value != wanted:
            cores.styles.height = wanted
        for name, visible in shown.items():
            if self._parts[name].display is not visible:
                self._parts[name].display = visible
        self.screen.set_class(roomy, "-roomy")

    def _redraw(self) -> None:
        for part in self._parts.values():
            part.forget()
        self.draw()
        self.call_after_refresh(self.draw)  # now that the parts have their sizes

    def _hints(self) -> Line:
        if self._gone:
            return [(f" {self._gone}", "warn")]
        line: Line = []
        if self._view.words:
            line = [(" only ", "dim"), (self._glyphs.text(self._view.words), "strong"), ("  esc shows all ", "dim")]
        room = self.size.width - sum(cells(text) for text, _style in line)
        for key, what in (*_HINTS[:4], ("s", f"sort: {self._view.order}"), *_HINTS[4:]):
            room -= len(key) + len(what) + 3
            if room < 0:
                break
            line += [(f" {key}", "key"), (f" {what} ", "dim")]
        return line

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help(HELP.format(switch=self._glyphs.switch), plain=not self._coloured))

    def action_tab(self, number: int) -> None:
        """Show the processes of a tab."""
        picture = self._picture
        if picture is None:
            return
        if number == 1:
            self._show(only="")
        elif number - 2 < len(picture.processes):
            self._show(only=picture.processes[number - 2].key)

    def action_turn_tab(self, step: int) -> None:
        """Go to the tab beside it, or to the other end."""
        if self._picture is None:
            return
        keys = ["", *(process.key for process in self._picture.processes)]
        here = keys.index(self._view.only) if self._view.only in keys else 0
        self._show(only=keys[(here + step) % len(keys)])

    def action_choose(self, step: int | str) -> None:
        """Choose a line."""
        if not self._rows:
            return
        page = max(1, self._parts["tree"].size.height - 1)
        last = len(self._rows) - 1
        here = self._place()
        steps = {"up": -page, "down": page, "first": -last, "last": last}
        y = here + (steps[step] if isinstance(step, str) else step if self._chosen is not None else 0)
        self._choose(min(last, max(0, y)))

    def action_open(self, wanted: bool | None = None) -> None:
        """Open the chosen line or close it; closing what is closed goes to what it belongs to."""
        if not self._rows:
            return
        y = self._place()
        row = self._rows[y]
        if wanted is False and row.opened is not True and row.depth:
            self._choose(next(above for above in range(y, -1, -1) if self._rows[above].depth < row.depth))
        elif row.opened is not None and row.opened is not wanted:
            self._chosen = row.node.key
            self._show(turned=self._view.turn(row.node.key).turned)

    def action_open_all(self) -> None:
        """Open everything, or close everything where all is open."""
        closed = any(row.opened is False for row in self._rows)
        self._show(whole=closed, turned=frozenset())

    def action_sort(self) -> None:
        """Sort by the next column."""
        choices = _table.CHOICES
        here = choices.index(self._view.order) if self._view.order in choices else -1
        self._show(order=choices[(here + 1) % len(choices)])

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._show(reverse=not self._view.reverse)

    def action_filter(self) -> None:
        """Ask for a text."""
        self.screen.add_class("-filter")
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all lines."""
        self.query_one(Input).value = ""
        self._leave_filter()
        self._show(words="")

    def action_level(self) -> None:
        """Draw NCs the next way; after the last one, as there is room."""
        levels = ("", *_cores.LEVELS)
        self._level = levels[(levels.index(self._level) + 1) % len(levels)]
        self._redraw()

    def action_hold(self) -> None:
        """Hold the picture, or go on."""
        self._held = not self._held
        self._picture = self._latest
        self.draw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(words=event.value.strip())

    @on(Input.Submitted)
    def _leave_filter(self) -> None:
        self.screen.remove_class("-filter")
        self._parts["tree"].focus()

    # -- the mouse ----------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked on."""
        part, picture = event.widget, self._picture
        if not isinstance(part, Lines) or picture is None:
            return
        y = event.y + round(part.scroll_y)
        if part.id == "tabs":
            key = tab_at(picture, self._view.only, self.size.width, self._glyphs, event.x)
            if key is not None:
                self._show(only=key)
        elif part.id == "head":
            order = _table.head_at(self._parts["tree"].scrollable_content_region.width, event.x)
            if order:
                self._show(order=order, reverse=order == self._view.order and not self._view.reverse)
        elif part.id == "cores":
            width = part.scrollable_content_region.width
            process = _cores.owner_at(picture, self._layout, width, event.x, y)
            if process is not None:
                self._show(only="" if self._view.only == process.key else process.key)
        elif part.id == "tree" and y < len(self._rows):
            row = self._rows[y]
            again = row.node.key == self._chosen
            self._choose(y)
            if again or event.x < 2 * row.depth + 3:
                self.action_open()

    # -- internals ----------------------------------------------------------------------------------------------

    def _show(self, **choices: object) -> None:
        self._gone = ""
        self._view = replace(self._view, **choices)  # type: ignore[arg-type]
        self.draw()
        self._parts["tree"].reveal(self._place())

    def _place(self) -> int:
        """Find the chosen line, or take the first."""
        return next((y for y, row in enumerate(self._rows) if row.node.key == self._chosen), 0)

    def _choose(self, y: int) -> None:
        self._chosen = self._rows[y].node.key
        self._parts["tree"].reveal(y)
        self.draw()

    def _is_seen(self) -> bool:
        """Check whether the terminal, or the server of the page, is still there."""
        if self.is_web:
            return os.getppid() == self._server
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.get_terminal_size(sys.__stderr__.fileno())  # type: ignore[union-attr]
            return True
        return False

    def _start(self) -> None:
        if self._read is not None:
            threading.Thread(target=self._read_on, args=(self._read,), name="neuron-top reads", daemon=True).start()

    def _read_on(self, read: Callable[[], Sight]) -> None:
        pause, begun = _QUICK, time.monotonic()
        while not self._done.is_set():
            self.post_message(self.Arrived(read()))
            begun = max(begun + min(pause, self._interval), time.monotonic())
            pause = self._interval
            self._done.wait(begun - time.monotonic())

    def _end(self, number: int) -> None:
        """End on a signal, with the terminal as it was, where it is still there."""
        code = 0 if number == signal.SIGINT else 128 + number
        backstop = threading.Timer(_PATIENCE, os._exit, (code,))
        backstop.daemon = True
        backstop.start()
        self.exit(return_code=code)


def _line(picture: Picture, row: Row, width: int, glyphs: Glyphs, *, chosen: bool) -> Line:
    line = _table.draw(picture, row, width, glyphs, chosen=chosen)
    return [("", "chosen"), *line] if chosen else line


def _wrapped(text: str, width: int, glyphs: Glyphs) -> list[Line]:
    """Fold a sentence into lines."""
    folded = textwrap.wrap(glyphs.text(text), max(10, width - 2), break_long_words=False, break_on_hyphens=False)
    return [[(f" {line}", "")] for line in folded or [""]]
