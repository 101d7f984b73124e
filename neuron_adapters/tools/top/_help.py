"""Explains the keys of the screen in a box."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
1-9         a tab: 1 is all processes, 2 the first one
a  d        the tab to the left, to the right
up down     choose a line; page up, page down, home, end
left right  close it, open it; enter does either
x           open or close the whole tree
s  r        sort by the next column; the other way round
/           show only lines with some text; esc shows all
c           draw NeuronCores larger or smaller
space       hold the picture; again goes on
q           leave

The mouse chooses tabs and lines, opens, sorts by a
column's head, and goes from a NeuronCore to its process.

{switch} on a NeuronCore   models took turns on it
+1 after a name    one more model is on it
QUEUE, SW/S        calls that waited; switches a second
P50 P99            of the last 10 s, with the wait
ERR 3!             errors and time-outs; ! some are new
"""


class Help(ModalScreen[None]):
    """The keys. Any key leaves it."""

    def __init__(self, text: str, *, plain: bool) -> None:
        super().__init__(classes="-plain" if plain else "")
        self._text = text

    def compose(self) -> ComposeResult:
        """One box."""
        yield Static(self._text, id="help", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Leave, and do nothing else."""
        event.stop()
        self.dismiss()

    def on_click(self) -> None:
        """Leave."""
        self.dismiss()
