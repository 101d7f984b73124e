"""What is known of the values of a tensor before it is computed: an interval, and whether they are the framework's to
the last bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: The largest integer below which float32 holds all integers: the engine computes some integers in float32.
MOST_INT = (1 << 24) - 1

#: Largest magnitudes of element types, by the engine's names. A sum of the largest number and a small one rounds to the
#: largest number, so a float may exceed it by a little.
LARGEST = {
    "f32": float(np.finfo(np.float32).max) * (1 + 1e-8),
    "bf16": 3.38e38,
    "f16": 65504.0,
}  # fmt: skip

RANGES = {
    "boolean": (0, 1), "u8": (0, 255), "i8": (-128, 127), "u16": (0, 65535), "i16": (-32768, 32767),
    "i32": (-MOST_INT, MOST_INT), "i64": (-MOST_INT, MOST_INT), "u32": (0, MOST_INT), "u64": (0, MOST_INT),
    **{name: (-largest, largest) for name, largest in LARGEST.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """The values of a tensor: all are in [``lo``, ``hi``].

    ``exact``: they are the framework's own to the last bit. ``masked``: some may be minus infinity instead, as an
    attention mask has it. ``undefined``: some may be NaN or infinite, and only a guard can tell. ``accurate``: even
    the smallest is right but for its last bits, since no difference of rounded numbers is in it.
    """

    lo: float
    hi: float
    exact: bool = False
    masked: bool = False
    undefined: bool = False
    accurate: bool = False

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.lo), abs(self.hi))

    def fits(self, lo: float, hi: float) -> bool:
        """Whether all values are known to be in [``lo``, ``hi``]."""
        return not self.undefined and lo <= self.lo and self.hi <= hi

    def clipped(self, lo: float, hi: float) -> Value:
        """The same values where a guard has found them all in [``lo``, ``hi``]."""
        lo, hi = max(self.lo, lo), min(self.hi, hi)
        return replace(self, lo=lo, hi=max(lo, hi), undefined=False)

    @property
    def steady(self) -> bool:
        """Whether a value near zero is the framework's, too: that of a difference may be all rounding error."""
        return self.exact or self.accurate

    def inexact(self) -> Value:
        """The same interval, computed."""
        return replace(self, exact=False)


def symmetric(size: float, *, exact: bool = False) -> Value:
    """Values of a magnitude of at most ``size``."""
    return Value(-size, size, exact)


def union(*values: Value) -> Value:
    """Values that are of either kind."""
    return Value(
        min(value.lo for value in values),
        max(value.hi for value in values),
        all(value.exact for value in values),
        any(value.masked for value in values),
        any(value.undefined for value in values),
        all(value.steady for value in values),
    )


def of_constant(array: Any, largest: float) -> Value | None:
    """What is known of a constant; None where it has NaN or plus infinity. Below -``largest`` it is as minus
    infinity."""
    if array.size == 0:
        return Value(0, 0, exact=True)
    lo, hi = float(array.min()), float(array.max())
    if not hi <= largest or np.isnan(lo):
        return None
    if lo >= -largest:
        return Value(lo, hi, exact=True)
    finite = array[array >= -largest]
    lo, hi = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return Value(lo, hi, exact=True, masked=True)
