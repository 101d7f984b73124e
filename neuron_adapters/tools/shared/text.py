"""Formats texts for all commands: ranges of numbers, units, texts that are cut or masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def ranges(numbers: Iterable[int]) -> str:
    """Write ``0-3,8`` for 0, 1, 2, 3, 8."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def in_units(value: float, base: int, units: Sequence[str], most: float) -> tuple[float, str]:
    """Divide ``value`` by ``base`` until it is below ``most``, or in the last of ``units``; it and its unit."""
    for unit in units[:-1]:
        if value < most:
            return value, unit
        value /= base
    return value, units[-1]


def size(count: float, *, short: bool = False) -> str:
    """Write a number of bytes: ``7.9 GB`` or, in six letters at most, ``7.9G`` if ``short``."""
    value, unit = in_units(count, 1024, ("", *"KMGTPE"), 999.5)
    if value >= 999.5:
        return "lots"
    digits = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")
    return f"{digits}{unit or 'B'}" if short else f"{digits} {unit}B"


def cut(text: str, longest: int) -> str:
    """Leave out the end of ``text`` where it is longer than ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def one_line(text: object) -> str:
    """Join the lines of ``text``."""
    return " ".join(str(text).split())


def mask_unprintable(text: str) -> str:
    """Put a question mark for each character that could move a terminal's cursor."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def text_or_empty(value: object, longest: int) -> str:
    """Make a text that another program sent printable, and cut it; empty if ``value`` is not a text."""
    return mask_unprintable(value[:longest]) if isinstance(value, str) else ""


def list_or_empty(value: object) -> list[Any]:
    """Take a list that another program sent; empty if ``value`` is not a list."""
    return value if isinstance(value, list) else []
