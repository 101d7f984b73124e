"""Progress on a terminal: after a second, gone in the end, and nowhere else."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from neuron_adapters.adapter.progress import shown


class Terminal:
    """A terminal that can be stderr, and what is seen on it."""

    def __init__(self) -> None:
        self.outer, inner = os.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.stream = open(inner, "w")  # noqa: SIM115  # as long as the terminal

    def seen(self, wait: float = 0) -> str:
        text = b""
        while select.select([self.outer], [], [], wait)[0]:
            text += os.read(self.outer, 4096)
            wait = 0
        return text.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    screen = Terminal()
    yield screen
    screen.stream.close()
    os.close(screen.outer)


@shown("loading")
def load(path: str, ready=lambda: None) -> str:
    """Loads."""
    ready()
    return path


def test_a_long_call_says_so_and_clears_up(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the file's name and the time; the last thing written clears it. What is inside shows nothing
    more."""
    monkeypatch.setattr(sys, "stderr", terminal.stream)  # here, since pytest has its own between fixture and test
    seen = ""

    def until_seen() -> None:
        nonlocal seen
        load("inner")
        deadline = time.monotonic() + 30
        while "00:01" not in seen and time.monotonic() < deadline:
            seen += terminal.seen(0.1)

    assert load("/models/resnet.pt", until_seen) == "/models/resnet.pt"
    seen += terminal.seen()
    assert "loading resnet.pt: 00:01" in seen
    assert "inner" not in seen
    assert seen.rstrip("\r").rpartition("\r")[2].strip() == ""
    assert load.__doc__ == "Loads."


def test_short_calls_and_errors_show_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an error comes through as it is; the next call may show again."""
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    for _ in range(3):
        load("x")
        with pytest.raises(ZeroDivisionError):
            load("x", lambda: 1 / 0)
    assert terminal.seen() == ""


@pytest.mark.parametrize("value", ["0", "off", " False "])
def test_switched_off(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """NEURON_ADAPTERS_PROGRESS=0; and without a terminal, or without stderr, there is nothing either."""
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    threads = []
    look = lambda: threads.append([thread.name for thread in threading.enumerate()])
    load("x", look)
    monkeypatch.setenv("NEURON_ADAPTERS_PROGRESS", value)
    load("x", look)
    monkeypatch.delenv("NEURON_ADAPTERS_PROGRESS")
    for stream in (None, open(os.devnull, "w")):  # noqa: SIM115  # closed below
        monkeypatch.setattr(sys, "stderr", stream)
        load("x", look)
    stream.close()
    assert ["neuron progress" in names for names in threads] == [True, False, False, False]
