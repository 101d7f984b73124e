"""The log of the runtime and the adapters, where NEURON_RT_LOG_LEVEL and NEURON_RT_LOG_LOCATION want it (SPEC T1).

Everything goes through ``logging``, to the loggers ``neuron_rt`` and ``neuron_adapters``. What a record is about stands
in its attributes, too (``event``, ``model``, ``ncs``, ...), for formatters that write JSON. While neither variable is
set, ``logging`` is left as it is.
"""

from __future__ import annotations

import logging
import sys
import time

from neuron_rt.config import CONSOLE, LEVELS, SYSLOG
from neuron_rt.errors import NeuronConfigError

NAMES = ("neuron_rt", "neuron_adapters")
#: Where the system's log listens.
SYSLOG_SOCKET = "/dev/log"
#: Attributes of a record that are written after its text.
FIELDS = ("event", "model", "ncs", "engine", "seconds")

_handler: logging.Handler | None = None


class _Formatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z INFO neuron_rt[4101]: text event=placed model=a.pt ncs=NC0-NC1``."""

    def __init__(self, head: str) -> None:
        super().__init__(head + "%(name)s[%(process)d]: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        fields = "".join(f" {name}={_quoted(getattr(record, name))}" for name in FIELDS if hasattr(record, name))
        return super().formatMessage(record) + fields


class _Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Standard error, unless the application logs by itself: its handlers get the records, too."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            self.stream = sys.stderr
            super().emit(record)


def configure(level: str | None, location: str | None) -> None:
    """Log as the variables say, of which at least one is set; None for the other.

    Raises NeuronConfigError where the place of the log cannot be written to.
    """
    global _handler
    handler = _handler_for(location or CONSOLE)
    for name in NAMES:
        logger = logging.getLogger(name)
        if _handler is not None:
            logger.removeHandler(_handler)
        logger.addHandler(handler)
        logger.setLevel(LEVELS[level or "ERROR"])
    if _handler is not None:
        _handler.close()
    _handler = handler


def _handler_for(location: str) -> logging.Handler:
    from logging.handlers import SysLogHandler, WatchedFileHandler  # takes milliseconds to import

    handler: logging.Handler
    try:
        if location == SYSLOG:
            handler = SysLogHandler(SYSLOG_SOCKET)
        elif location == CONSOLE:
            handler = _Console()
        else:
            handler = WatchedFileHandler(location)
    except OSError as error:
        raise NeuronConfigError.of(
            "NEURON_RT_LOG_LOCATION", location, f"cannot be written to ({error.strerror})",
            "console, syslog where a system log listens, or the absolute path of a file",
        ) from error  # fmt: skip
    handler.setFormatter(_Formatter("" if location == SYSLOG else "%(asctime)s.%(msecs)03dZ %(levelname)s "))
    return handler


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text.isprintable() or " " in text or not text else text
