"""Reads JSON from untrusted files: numbers are finite, and memory is bounded (SPEC F2, F3)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: No meaningful number has more digits. Converting n digits takes n * n steps.
_MOST_DIGITS = 32
#: Most lists, objects and commas together. An empty list takes 3 bytes of text and 64 of memory: this keeps the value
#: of a text below 256 MiB, its strings aside.
MOST_VALUES = 1 << 20


def loads(text: object, *, strict: bool = True, most: int = MOST_VALUES) -> Any:
    """Read a JSON text. Raises ValueError for anything else, for endless nesting, for more than ``most``
    values, and for a number that is not finite."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if not isinstance(text, str):
        raise ValueError("it is not a text")
    if sum(map(text.count, "[{,")) > most:
        raise ValueError(f"its JSON has more than {most} values")
    try:
        return _DECODERS[strict].decode(text)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error


def whole(value: object) -> int:
    """Read a whole number, or its decimal text. Raises ValueError for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, str) and len(value) <= _MOST_DIGITS:
        return int(value)
    raise ValueError(f"{str(value)[:40]!r} is not a whole number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"the number {text[:40]}... has {len(text)} digits")
    return int(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")


_DECODERS = {
    strict: json.JSONDecoder(strict=strict, parse_float=_number, parse_int=_integer, parse_constant=_refuse)
    for strict in (True, False)
}
