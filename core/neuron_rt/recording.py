"""Who ran when on which NeuronCore, as a picture: a file in the Chrome trace format, which Perfetto opens (SPEC T1).

>>> with neuron_rt.timeline("run.json"):
...     model(x)

NEURON_ADAPTERS_TRACE=run.json does the same for a whole process. Every process has a track for each NC, with the models
that ran there and the switches between them, and one for each thread that had to wait. Several processes may write to
one file; a process that opens it while no other has it open begins it anew. It is valid JSON after every write.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from neuron_rt import lifecycle
from neuron_rt.lifecycle import Step
from neuron_rt.locks import flock
from neuron_rt.ownership import command_line
from neuron_rt.undo import Mutex, Undo, opened

log = logging.getLogger("neuron_rt")

#: The files in which executions are recorded now; mostly none.
timelines: tuple[Timeline, ...] = ()

_FLUSH_AFTER = 0.2  # seconds; what a killed process loses at most
_MOST_PENDING = 4096  # events; then the thread that calls a model writes them
_THREADS = 1 << 24  # numbers of threads' tracks begin here, above those of NCs and of any thread
_BEGIN, _END = b"[\n", b"\n]\n"


class Execution(NamedTuple):
    """A call that ran. Times in ns of CLOCK_MONOTONIC."""

    model: str
    instance_ncs: tuple[int, ...]
    asked: int
    """Since when it waited; 0 where it did not."""
    began: int
    ended: int
    switched: bool
    """Whether it took the place of another model."""
    failed: bool
    thread: int


class Timeline:
    """One file that this process writes to. Made by ``start``."""

    def __init__(self, path: str) -> None:
        """Raises OSError where the file cannot be written."""
        self.path = path
        self._pending: deque[Execution] = deque()
        self._named: set[int] = set()
        self._mutex = Mutex()
        self._timer: threading.Timer | None = None
        self._last = False
        self._file: Undo | None = opened(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
        self._open(self._file.args[0])

    def add(self, execution: Execution) -> None:
        """Write ``execution`` in a moment, with all that comes until then."""
        self._pending.append(execution)
        if self._last or len(self._pending) >= _MOST_PENDING:
            self.flush()
        elif self._timer is None or not self._timer.is_alive():
            self._timer = timer = threading.Timer(_FLUSH_AFTER, self.flush)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:  # the interpreter is on its way out
                self.flush()

    def flush(self) -> None:
        """Write what there is. Never raises: a full disk must not stop a model."""
        return (self._mutex.hold(), self._flush())[1]

    def _flush(self) -> None:
        self._timer = None
        events: list[dict[str, Any]] = []
        while self._pending:
            events += self._events(self._pending.popleft())
        file = self._file
        if events and file is not None:
            try:
                _append(file.args[0], events)
            except OSError as error:
                log.warning("%s: recording ends, it cannot be written: %s", self.path, error.strerror)
                self._file = None

    def at_exit(self) -> None:
        """Write now, and from now on at once: other exit handlers may still call models (SPEC X4)."""
        self._last = True
        self.flush()

    def close(self) -> None:
        """Write what there is and let go of the file."""
        self.flush()
        self._file = None

    def forget(self) -> None:
        """In a forked child: the file is the parent's."""
        self._mutex = Mutex()
        self._pending.clear()
        self._file = None

    def _open(self, file: int) -> None:
        """Begin the file anew, unless another process writes to it; a shared lock says that one does."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fcntl.flock(file, fcntl.LOCK_SH)
        else:
            os.ftruncate(file, 0)
            fcntl.flock(file, fcntl.LOCK_SH)
        _append(file, [_named("process_name", 0, _title())])

    def _events(self, execution: Execution) -> Iterator[dict[str, Any]]:
        name, ncs, asked, began, ended, switched, failed, thread = execution
        said: dict[str, Any] = {"thread": thread}
        if asked:
            said["waited_us"] = (began - asked) / 1000
            track = _THREADS + thread
            yield from self._track(track, f"thread {thread}, waiting")
            yield _event("X", f"wait for {name}", track, asked, dur=(began - asked) / 1000)
        if failed:
            said["error"] = True
        for nc in ncs:
            yield from self._track(nc + 1, f"NC{nc}")
            if switched:
                yield _event("i", f"switch to {name}", nc + 1, began, s="t")
            yield _event("X", name, nc + 1, began, dur=(ended - began) / 1000, args=said)

    def _track(self, track: int, name: str) -> Iterator[dict[str, Any]]:
        """Name a track the first time; NCs stand in their order, above the threads."""
        if track not in self._named:
            self._named.add(track)
            yield _named("thread_name", track, name)
            yield {**_event("M", "thread_sort_index", track, 0), "args": {"sort_index": track}}


def start(path: str) -> Timeline:
    """Record all executions of this process in ``path`` from now on. Raises OSError where it cannot be written."""
    global timelines
    opened = Timeline(os.path.abspath(path))
    timelines = (*timelines, opened)
    return opened


def stop(opened: Timeline) -> None:
    """Record no more, and complete the file."""
    global timelines
    timelines = tuple(timeline for timeline in timelines if timeline is not opened)
    opened.close()


@contextlib.contextmanager
def timeline(path: str | os.PathLike[str]) -> Iterator[None]:
    """Record the executions of this process while the block runs, in the Chrome trace format (SPEC T1).

    Open the file in Perfetto or chrome://tracing. Raises OSError where it cannot be written.
    """
    opened = start(os.fspath(path))
    try:
        yield
    finally:
        stop(opened)


def _event(phase: str, name: str, track: int, at: int, **more: Any) -> dict[str, Any]:
    return {"ph": phase, "name": name, "pid": os.getpid(), "tid": track, "ts": at / 1000, "cat": "neuron", **more}


def _named(kind: str, track: int, name: str) -> dict[str, Any]:
    return _event("M", kind, track, 0, args={"name": name})


def _title() -> str:
    tag = os.environ.get("NEURON_PROCESS_TAG", "")
    return f"[{tag[:64]}] {command_line()[:200]}" if tag else command_line()[:200]


def _append(file: int, events: list[dict[str, Any]]) -> None:
    """Write before the end of the array, alone among all writers."""
    body = b",\n".join(json.dumps(event).encode() for event in events) + _END
    return (
        Undo(fcntl.fcntl, file, fcntl.F_OFD_SETLK, flock(fcntl.F_UNLCK, 0)),
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW, flock(fcntl.F_WRLCK, 0)),
        _write(file, body),
    )[2]


def _write(file: int, body: bytes) -> None:
    size = os.fstat(file).st_size
    at, body = (0, _BEGIN + body) if size <= len(_END) else (size - len(_END), b",\n" + body)
    if os.pwrite(file, body, at) < len(body):  # what was there stays whole
        os.ftruncate(file, at)
        os.pwrite(file, _END if at else _BEGIN + _END, at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _at_exit() -> None:
    for timeline in timelines:
        timeline.at_exit()


def _in_child() -> None:
    global timelines
    mine, timelines = timelines, ()
    for timeline in mine:
        timeline.forget()


lifecycle.at_exit(Step.TIMELINES, _at_exit)
lifecycle.in_child(Step.TIMELINES, _in_child)
