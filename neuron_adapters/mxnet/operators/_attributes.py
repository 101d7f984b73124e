"""Reads the attributes of an operator, which symbol files hold as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from neuron_adapters.files.mxnet_params import DTYPES
from neuron_adapters.files.printable import printable

_TRUE = {"True", "true", "1"}
_FALSE = {"False", "false", "0"}
_LONGEST_NUMBER = 64
#: Most inputs or outputs of a node.
MOST_NAMES = 1 << 12


class Attributes:
    """The attributes of one node. Each getter takes the default; without one the attribute is required.

    Raises ValueError where a value is malformed: it names the attribute, the value, and what is accepted.
    """

    def __init__(self, text: Mapping[str, str]) -> None:
        self._text = text

    def has(self, name: str) -> bool:
        """Whether it is given, and is not "None"."""
        return self._text.get(name, "None").strip() not in ("None", "")

    def is_none(self, name: str) -> bool:
        """Whether it is given as "None", where that differs from being left out."""
        return self._text.get(name, "").strip() == "None"

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        if self.has(name) or default is None:
            return self._read_integer(name, self._required(name))
        return default

    def count(self, name: str, default: int | None = None) -> int:
        """A number of inputs or outputs, each of which becomes a name at least (SPEC F2)."""
        number = self.integer(name, default)
        if not 0 <= number <= MOST_NAMES:
            raise self._wrong(name, f"a number from 0 to {MOST_NAMES}")
        return number

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, or None where it is not given."""
        return self.integer(name) if self.has(name) else None

    def number(self, name: str, default: float | None = None) -> float:
        """A number."""
        if not self.has(name) and default is not None:
            return default
        text = self._required(name)
        try:
            return float(text)
        except ValueError:
            raise self._wrong(name, "a number") from None

    def flag(self, name: str, default: bool) -> bool:
        """True or False, also written 1 and 0."""
        if not self.has(name):
            return default
        text = self._text[name].strip()
        if text not in _TRUE | _FALSE:
            raise self._wrong(name, "True or False")
        return text in _TRUE

    def choice(self, name: str, accepted: Sequence[str], default: str | None = None) -> str:
        """One of ``accepted``."""
        if not self.has(name) and default is not None:
            return default
        text = self._required(name)
        if text not in accepted:
            raise self._wrong(name, "one of " + ", ".join(accepted))
        return text

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Whole numbers: ``(3, 3)``, ``[3,3]``, ``3``, and ``(3L, 3L)`` as Python 2 wrote them."""
        if not self.has(name) and default is not None:
            return tuple(default)
        return tuple(self._read_integer(name, part) for part in self._parts(name))

    def maybe_integers(self, name: str) -> tuple[int | None, ...]:
        """Whole numbers of which some may be None; empty where it is not given."""
        if not self.has(name):
            return ()
        return tuple(None if part == "None" else self._read_integer(name, part) for part in self._parts(name))

    def numbers(self, name: str, default: Sequence[float]) -> tuple[float, ...]:
        """Numbers: ``(0.5, 1.0)``."""
        if not self.has(name):
            return tuple(default)
        try:
            return tuple(float(part) for part in self._parts(name))
        except ValueError:
            raise self._wrong(name, "numbers, as in (0.5, 1.0)") from None

    def dtype(self, name: str, default: str | None = None) -> str:
        """The NumPy name of a dtype, also given by MXNet's number for it."""
        if not self.has(name) and default is not None:
            return default
        text = self._required(name)
        if text.isdecimal() and int(text) < len(DTYPES):
            return DTYPES[int(text)]
        if text not in DTYPES:
            raise self._wrong(name, "one of " + ", ".join(DTYPES))
        return text

    def only(self, name: str, accepted: str, why: str) -> None:
        """Refuse any value but ``accepted``."""
        if self.has(name) and self._text[name].strip() != accepted:
            raise self._wrong(name, f"{accepted} ({why})")

    def _required(self, name: str) -> str:
        if not self.has(name):
            raise ValueError(f"attribute {name} is required")
        return self._text[name].strip()

    def _parts(self, name: str) -> list[str]:
        text = self._required(name)
        if text[0] + text[-1] in ("()", "[]"):
            text = text[1:-1]
        return [part.strip() for part in text.split(",") if part.strip()]

    def _read_integer(self, name: str, text: str) -> int:
        try:
            number = float(text.rstrip("L")) if len(text) <= _LONGEST_NUMBER else math.nan
        except ValueError:
            number = math.nan
        if not number.is_integer():
            raise self._wrong(name, "whole numbers")
        return int(text.rstrip("L")) if text.rstrip("L").lstrip("+-").isdecimal() else int(number)

    def _wrong(self, name: str, accepted: str) -> ValueError:
        return ValueError(f"attribute {name} must be {accepted}, got {printable(self._text.get(name, ''), 80)!r}")
