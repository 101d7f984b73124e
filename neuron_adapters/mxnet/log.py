"""``mx.log``: loggers with MXNet's format."""

from __future__ import annotations

import logging
import sys
from typing import Any

__all__ = ["get_logger"]

CRITICAL, ERROR, WARNING, INFO, DEBUG, NOTSET = 50, 40, 30, 20, 10, 0
_LETTERS = {logging.WARNING: "W", logging.INFO: "I", logging.DEBUG: "D", logging.ERROR: "E", logging.CRITICAL: "C"}


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(datefmt="%m%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        letter = _LETTERS.get(record.levelno, "U")
        head = f"{letter}{self.formatTime(record, self.datefmt)} {record.process} {record.pathname}:{record.lineno}"
        return f"{head}] {record.getMessage()}"


def get_logger(
    name: str | None = None, filename: str | None = None, filemode: str | None = None, level: int = WARNING
) -> logging.Logger:
    """Return the logger ``name``, which writes to ``filename``, or to standard error, from ``level`` on."""
    logger: Any = logging.getLogger(name)
    if name is not None and not getattr(logger, "_init_done", None):
        logger._init_done = True
        handler = logging.FileHandler(filename, filemode or "a") if filename else logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Formatter())
        logger.addHandler(handler)
        logger.setLevel(level)
    checked: logging.Logger = logger
    return checked


getLogger = get_logger  # noqa: N816 - MXNet's name
