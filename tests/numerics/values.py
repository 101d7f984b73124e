"""Values on which an engine and a framework may part, by kind; of no framework, as NumPy arrays.

A kind is a column of docs/numerics.md. ``ordinary`` values are what a model is compiled with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOATS = ("float32", "float16", "bfloat16", "float64")
KINDS = (
    "ordinary", "zero", "not finite", "denormal", "large", "tie", "small integer", "wide integer", "index", "boolean",
    "layout",
)  # fmt: skip


@dataclass(frozen=True)
class Arg:
    """An input. ``dtype``: of NumPy, or ``"bfloat16"``. ``limit``: it holds indexes into a table of that size.
    ``lo``, ``hi``: what its ordinary values lie between."""

    dtype: str
    shape: tuple[int, ...] = (3, 5)
    limit: int = 0
    lo: float = -3.0
    hi: float = 3.0

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    def ordinary(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Values as a model is compiled with."""
        if self.is_float:
            return self._typed(rng.uniform(self.lo, self.hi, self.shape))
        if self.dtype == "bool":
            return rng.integers(0, 2, self.shape).astype(bool)
        if self.limit:
            return rng.integers(0, self.limit, self.shape).astype(self.dtype)
        least = max(int(self.lo), np.iinfo(self.dtype).min)
        return rng.integers(least, int(self.hi) + 1, self.shape).astype(self.dtype)

    def special(self, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Other values, each with its kind."""
        yield "ordinary", self.ordinary(rng)
        if self.is_float:
            yield from self._floats(rng)
        elif self.dtype == "bool":
            yield "boolean", np.zeros(self.shape, bool)
            yield "boolean", np.ones(self.shape, bool)
        elif self.limit:
            for index in (-1, -self.limit, -self.limit - 1, self.limit, 10**9, 2**31, 2**32 + 1, -(2**63), 2**63 - 1):
                yield from self._sprinkled("index", index, rng)
        else:
            yield from self._integers(rng)

    def _floats(self, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        shape = self.shape
        yield "zero", self._typed(np.zeros(shape))
        yield "zero", self._typed(np.full(shape, -0.0))
        yield "zero", self._typed(rng.choice([0.0, -0.0, 1.0, -1.0], shape))
        for number in (np.nan, np.inf, -np.inf):
            yield from self._sprinkled("not finite", number, rng)
        yield "not finite", self._typed(rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], shape))
        yield "not finite", self._typed(rng.choice([np.inf, -np.inf], shape))
        tiny = {"float16": 6e-8, "float64": 5e-324}.get(self.dtype, 1e-45)
        yield "denormal", self._typed(rng.choice([1.0, -1.0, 7.0], shape) * tiny)
        yield "denormal", self._typed(rng.choice([1e-39, -1e-39, 1e-38, -2e-38, 0.0], shape))
        yield "denormal", self._typed(rng.choice([1e-20, -1e-25, 1e-30], shape))
        for most in (300.0, 4000.0, 2e4, 3e5, 1e10, 1e19, 1e30):
            yield "large", self._typed(rng.uniform(-most, most, shape))
        yield "large", self._typed(rng.choice([3.4e38, -3.4e38, 1.0], shape))
        yield from self._sprinkled("large", 1e5, rng)
        yield from self._sprinkled("large", -1e4, rng)
        yield "tie", self._typed(rng.integers(-6, 6, shape) / 2)
        yield "tie", self._typed(np.full(shape, 2.0))
        yield "tie", self._typed(rng.integers(-40, 40, shape) / 10)
        yield "tie", self._typed(rng.integers(-3, 3, shape) + rng.choice([1e-7, -1e-7, 0.0], shape))

    def _integers(self, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        info = np.iinfo(self.dtype)
        least, most = int(info.min), int(info.max)

        def drawn(numbers: list[int]) -> np.ndarray[Any, Any]:
            return rng.choice(np.array([n for n in numbers if least <= n <= most], self.dtype), self.shape)

        yield "small integer", np.zeros(self.shape, self.dtype)
        yield "small integer", drawn([-3, -2, -1, 0, 1, 2, 3])
        yield "small integer", drawn([-7, -1, 5, 100, -100, 127, -128, 255])
        for number in (0, -1):
            yield from self._sprinkled("small integer", number, rng)
        for number in (least, most):
            yield from self._sprinkled("wide integer", number, rng)
        for center in (2**12, 2**24, 2**31, 2**32, 10**9, 2**53):
            if center <= most:
                yield "wide integer", drawn([center + step for step in (-1, 0, 1)])
                yield "wide integer", drawn([sign * (center + step) for step in (-1, 0, 1) for sign in (-1, 1)])
        yield "wide integer", drawn([least, least + 1, most, most - 1, 0, -1, 1])

    def _sprinkled(
        self, kind: str, number: float, rng: np.random.Generator
    ) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Ordinary values, but for ``number`` in the first place, in another, or everywhere."""
        if not self.is_float and not np.iinfo(self.dtype).min <= number <= np.iinfo(self.dtype).max:
            return
        size = int(np.prod(self.shape))
        for places in ([0], [int(rng.integers(size))], range(size)):
            array = self.ordinary(rng).reshape(-1)
            for place in places:
                array[place] = number
            yield kind, array.reshape(self.shape)

    def _typed(self, array: Any) -> np.ndarray[Any, Any]:
        """As NumPy has it: bfloat16 as float32, for the framework to convert."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(array, dtype="float32" if self.dtype == "bfloat16" else self.dtype)


def calls(arguments: tuple[Arg, ...], seed: int = 0) -> Iterator[tuple[str, list[np.ndarray[Any, Any]]]]:
    """Inputs for a model of ``arguments``, each with the kind of what is special in it: each argument alone, and all
    together."""
    rng = np.random.default_rng(seed)
    for index, argument in enumerate(arguments):
        for kind, array in argument.special(rng):
            arrays = [other.ordinary(rng) for other in arguments]
            arrays[index] = array
            yield kind, arrays
    if len(arguments) > 1:
        rows = [list(argument.special(rng)) for argument in arguments]
        for index in range(max(map(len, rows))):
            chosen = [row[index] if index < len(row) else row[rng.integers(len(row))] for row in rows]
            yield chosen[0][0], [array for _kind, array in chosen]
