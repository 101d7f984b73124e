"""What this package does after a fork and at the end of the process, in one order.

A module registers a handler. Handlers run in the order of ``Step``, whatever was imported first; if one fails, the
others still run.
"""

from __future__ import annotations

import atexit
import enum
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace


class Step(enum.IntEnum):
    """The order of the handlers. A forked child, which owns nothing of its parent's (SPEC O4), begins with the first,
    the exit with the last."""

    LOCKS = enum.auto()
    """The child lets go of the parent's lock files first: the parent may die, and its NeuronCores are then free."""
    SIGNALS = enum.auto()
    """A child that another thread forked has a main thread without a stack for signals."""
    TIMELINES = enum.auto()
    WORKERS = enum.auto()
    """Threads are the parent's alone."""
    ENGINE = enum.auto()
    """The engine's threads are the parent's; the child loads its own. It holds what it must not free before models
    go."""
    RUNTIME = enum.auto()
    """The child has no runtime; models say that they were loaded in the parent. At exit the record is kept as it is."""


_in_child: dict[Step, Callable[[], object]] = {}
_at_exit: dict[Step, Callable[[], object]] = {}


def in_child(step: Step, handler: Callable[[], object]) -> None:
    """Call ``handler`` in every forked child."""
    _in_child[step] = handler


def at_exit(step: Step, handler: Callable[[], object]) -> None:
    """Call ``handler`` when the interpreter ends."""
    _at_exit[step] = handler


def _run(handlers: dict[Step, Callable[[], object]], *, backwards: bool = False) -> None:
    for _step, handler in sorted(handlers.items(), reverse=backwards):
        try:
            handler()
        except BaseException as error:  # noqa: BLE001, PERF203 - as Python does for what it calls there
            problem = SimpleNamespace(
                exc_type=type(error), exc_value=error, exc_traceback=error.__traceback__, err_msg=None, object=handler
            )
            sys.unraisablehook(problem)


os.register_at_fork(after_in_child=lambda: _run(_in_child))
atexit.register(lambda: _run(_at_exit, backwards=True))
