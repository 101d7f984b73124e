"""Tracebacks of a script show the script and its libraries, not the hooks between them. ``python -X dev`` shows all."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Any

import neuron_adapters
import neuron_rt

_OURS = tuple(
    os.path.dirname(os.path.abspath(str(module.__file__))) + os.sep for module in (neuron_adapters, neuron_rt)
)


def shorten() -> None:
    """Leave our frames out of what Python prints of uncaught exceptions, unless another hook prints them."""
    if sys.flags.dev_mode:
        return
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _excepthook
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_excepthook


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    _shorten(error)
    sys.__excepthook__(kind, error, error.__traceback__ or traceback)


def _thread_excepthook(args: Any) -> None:
    if args.exc_value is not None:
        _shorten(args.exc_value)
    threading.__excepthook__(args)


def _shorten(error: BaseException) -> None:
    """Leave our frames out of an exception, its causes and contexts."""
    errors: list[BaseException] = [error]
    for entry in errors:
        entry.__traceback__ = _without_ours(entry.__traceback__)
        more = (entry.__cause__, entry.__context__, *getattr(entry, "exceptions", ()))
        errors += [other for other in more if isinstance(other, BaseException) and all(other is not o for o in errors)]


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    kept = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            kept.append(traceback)
        traceback = traceback.tb_next
    shown: TracebackType | None = None
    for entry in reversed(kept):
        shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shown
