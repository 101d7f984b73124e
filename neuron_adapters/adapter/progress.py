"""Shows on a terminal that a load or compilation of more than a second runs. Needs tqdm, which is optional."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

VARIABLE = "NEURON_ADAPTERS_PROGRESS"
#: Seconds before anything is shown, and between two looks at the clock.
PATIENCE, BEAT = 1.0, 0.5

F = TypeVar("F", bound=Callable[..., Any])
_busy = threading.Lock()


def shown(what: str) -> Callable[[F], F]:
    """Decorate a function: while it runs, a line on stderr shows ``what`` and the time."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not _wanted():
                return function(*args, **kwargs)
            named = isinstance(args[0], (str, os.PathLike)) if args else False
            with _showing(f"{what} {os.path.basename(os.fspath(args[0]))}" if named else what):
                return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _wanted() -> bool:
    if os.environ.get(VARIABLE, "1").strip().lower() in ("0", "off", "false", "no"):
        return False
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


@contextlib.contextmanager
def _showing(text: str) -> Iterator[None]:
    if not _busy.acquire(blocking=False):  # something is shown already: a part of it, or another thread's
        yield
        return
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(text, done), name="neuron progress", daemon=True)
    try:
        watch.start()
        yield
    finally:
        done.set()
        if watch.ident is not None:
            watch.join()
        _busy.release()


def _watch(text: str, done: threading.Event) -> None:
    if done.wait(PATIENCE):
        return
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return
    bar_type: Any = type("Bar", (tqdm,), {"monitor_interval": 0})  # no thread of tqdm's that stays
    with contextlib.suppress(OSError, ValueError):  # a terminal that is closed
        bar = bar_type(desc=text, bar_format="{desc}: {elapsed}", leave=False, file=sys.stderr)
        while not done.wait(BEAT):
            bar.refresh()
        bar.close()
