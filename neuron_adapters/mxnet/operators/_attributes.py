"""Reads the attributes of an operator, which symbol files hold as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from neuron_adapters.files.mxnet_params import DTYPES
from neuron_adapters.files.printable import printable

T = TypeVar("T")

_FLAGS = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
#: By name, and by MXNet's number.
_DTYPES = {name: name for name in DTYPES} | {str(number): name for number, name in enumerate(DTYPES)}
_LONGEST_NUMBER = 64
#: Most inputs or outputs of a node.
MOST_NAMES = 1 << 12


class Attributes:
    """The attributes of one node. Each getter takes the default; without one the attribute is required.

    Raises ValueError where a value is malformed: it names the attribute, the value, and what is accepted.
    """

    def __init__(self, text: Mapping[str, str], *, exact: bool = False) -> None:
        """``exact``: of the shapes that come with them, a size of 0 is 0; else it is not known."""
        self._text = text
        self.exact = exact

    def has(self, name: str) -> bool:
        """Whether the attribute is given, and is not "None"."""
        return self._text.get(name, "None").strip() not in ("None", "")

    def is_none(self, name: str) -> bool:
        """Whether the attribute is given as "None", where that differs from being left out."""
        return self._text.get(name, "").strip() == "None"

    def text(self, name: str) -> str:
        """Read any text; "" where it is not given."""
        return self._text.get(name, "")

    def integer(self, name: str, default: int | None = None) -> int:
        """Read a whole number."""
        return self._read(name, default, _whole, "whole numbers")

    def count(self, name: str, default: int | None = None) -> int:
        """Read a number of inputs or outputs, each of which becomes a name at least (SPEC F2)."""
        number = self.integer(name, default)
        if not 0 <= number <= MOST_NAMES:
            raise self._wrong(name, f"a number from 0 to {MOST_NAMES}")
        return number

    def maybe_integer(self, name: str) -> int | None:
        """Read a whole number; None where it is not given."""
        return self.integer(name) if self.has(name) else None

    def number(self, name: str, default: float | None = None) -> float:
        """Read a number."""
        return self._read(name, default, float, "a number")

    def flag(self, name: str, default: bool) -> bool:
        """Read True or False, also written 1 and 0."""
        return self._read(name, default, _FLAGS.__getitem__, "True or False")

    def choice(self, name: str, accepted: Sequence[str], default: str | None = None) -> str:
        """Read one of ``accepted``."""
        return self._read(name, default, {text: text for text in accepted}.__getitem__, _one_of(accepted))

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Read whole numbers: ``(3, 3)``, ``[3,3]``, ``3``, and ``(3L, 3L)`` as Python 2 wrote them."""
        initial = None if default is None else tuple(default)
        return self._read(name, initial, lambda text: tuple(map(_whole, _parts(text))), "whole numbers")

    def maybe_integers(self, name: str) -> tuple[int | None, ...]:
        """Read whole numbers of which some may be None; empty where they are not given."""

        def read(text: str) -> tuple[int | None, ...]:
            return tuple(None if part == "None" else _whole(part) for part in _parts(text))

        return self._read(name, (), read, "whole numbers")

    def numbers(self, name: str, default: Sequence[float]) -> tuple[float, ...]:
        """Read numbers: ``(0.5, 1.0)``."""
        return self._read(
            name, tuple(default), lambda text: tuple(map(float, _parts(text))), "numbers, as in (0.5, 1.0)"
        )

    def dtype(self, name: str, default: str | None = None) -> str:
        """Read a dtype, by name or by MXNet's number for it, as NumPy's name."""
        return self._read(name, default, _DTYPES.__getitem__, _one_of(DTYPES))

    def required(self, name: str) -> str:
        """Read any text, which is required."""
        return self._read(name, None, str, "a text")

    def others(self, *names: str) -> dict[str, str]:
        """Return the text of all attributes but ``names``, and those that users attach (``__lr_mult__``)."""
        return {
            name: text
            for name, text in self._text.items()
            if name not in names and not (name.startswith("__") and name.endswith("__"))
        }

    def only(self, name: str, accepted: str, why: str) -> None:
        """Refuse any value but ``accepted``."""
        if self.has(name) and self._text[name].strip() != accepted:
            raise self._wrong(name, f"{accepted} ({why})")

    def _read(self, name: str, default: T | None, read: Callable[[str], T], accepted: str) -> T:
        if not self.has(name):
            if default is None:
                raise ValueError(f"attribute {name} is required")
            return default
        try:
            return read(self._text[name].strip())
        except (ValueError, KeyError):
            raise self._wrong(name, accepted) from None

    def _wrong(self, name: str, accepted: str) -> ValueError:
        return ValueError(f"attribute {name} must be {accepted}, got {printable(self._text.get(name, ''), 80)!r}")


def _one_of(accepted: Sequence[str]) -> str:
    return "one of " + ", ".join(accepted)


def _parts(text: str) -> list[str]:
    inner = text[1:-1] if text[0] + text[-1] in ("()", "[]") else text
    return [part.strip() for part in inner.split(",") if part.strip()]


def _whole(text: str) -> int:
    digits = text.rstrip("L")
    number = float(digits) if len(text) <= _LONGEST_NUMBER else math.nan
    if not number.is_integer():
        raise ValueError(text)
    return int(digits) if digits.lstrip("+-").isdecimal() else int(number)
