"""The generator of all random numbers, in graphs and of arrays: NumPy's, seeded by ``mx.random.seed``."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_lock = threading.RLock()  # a signal handler may be here again
_generator = np.random.default_rng()


def seed(number: Any) -> None:
    """Restart the generator: the same numbers follow. Raises ValueError for what is not a whole number."""
    global _generator
    try:
        whole = operator.index(number)
    except TypeError:
        raise ValueError(f"mx.random.seed() takes a whole number, got {number!r}") from None
    with _lock:
        _generator = np.random.default_rng(whole & (2**64 - 1))


def _negative_binomial(rng: np.random.Generator, k: Any, p: Any, shape: Any) -> Any:
    """Draw how often an experiment succeeds before it has failed ``k`` times; ``p``: that it fails."""
    with np.errstate(all="ignore"):
        return rng.poisson(rng.gamma(k, (1 - np.asarray(p)) / p, shape))


def _by_mean(rng: np.random.Generator, mu: Any, alpha: Any, shape: Any) -> Any:
    """Draw from the negative binomial distribution of mean ``mu`` and dispersion ``alpha``; of 0, Poisson's."""
    mu, alpha = np.broadcast_arrays(np.asarray(mu, "f8"), np.asarray(alpha, "f8"))
    some = np.where(alpha == 0, 1.0, alpha)
    means = rng.gamma(1 / some, some * mu, shape)
    return rng.poisson(np.where(alpha == 0, np.broadcast_to(mu, np.shape(means)), means))


#: By MXNet's name: a function of the generator, the parameters, and the shape.
DISTRIBUTIONS: dict[str, Callable[..., Any]] = {
    "exponential": lambda rng, lam, shape: rng.exponential(1 / np.asarray(lam, "f8"), shape),
    "gamma": lambda rng, alpha, beta, shape: rng.gamma(alpha, beta, shape),
    "generalized_negative_binomial": _by_mean,
    "negative_binomial": _negative_binomial,
    "normal": lambda rng, loc, scale, shape: rng.normal(loc, scale, shape),
    "poisson": lambda rng, lam, shape: rng.poisson(lam, shape),
    "randint": lambda rng, low, high, shape: rng.integers(low, high, shape),
    "uniform": lambda rng, low, high, shape: rng.uniform(low, high, shape),
}


def draw(distribution: str, parameters: Sequence[Any], shape: Sequence[int], dtype: Any) -> Array:
    """Draw an array. Raises ValueError for parameters that the distribution does not have."""
    with _lock, np.errstate(divide="ignore"):
        numbers = DISTRIBUTIONS[distribution](_generator, *parameters, tuple(shape))
    return np.asarray(numbers).astype(dtype)


def draw_as_numpy(distribution: str, parameters: Sequence[Any], shape: Any) -> Array:
    """Draw from a distribution by NumPy's name and parameters, in float64. Raises ValueError for wrong parameters."""
    with _lock:
        return np.asarray(getattr(_generator, distribution)(*parameters, shape))


def shuffle(array: Array) -> None:
    """Bring an array into a random order along its first axis."""
    with _lock:
        _generator.shuffle(array)


def choice(values: Any, size: Any, replace: bool, shares: Any) -> Array:
    """Draw from a vector, or from the whole numbers below one. Raises ValueError where that is not possible."""
    with _lock:
        return np.asarray(_generator.choice(values, size, replace, None if shares is None else _shares(shares)))


def _shares(shares: Any) -> Array:
    """In float64, where those of float32 add up to 1 in its own precision only."""
    wide = np.asarray(shares, "f8")
    return wide / wide.sum() if abs(wide.sum() - 1) < 1e-4 else wide


def multinomial(count: int, shares: Any, size: Any) -> Array:
    """Count how often each class comes in ``count`` draws. Raises ValueError for what are no probabilities."""
    if np.shape(shares) == (0,):  # no classes, as in MXNet
        return np.zeros((*np.zeros(() if size is None else size).shape, 0), np.int64)
    with _lock:
        return _generator.multinomial(count, _shares(shares), size)


def order(count: int) -> Array:
    """Draw a random order of ``count`` places."""
    with _lock:
        return _generator.permutation(count)


def unique_classes(classes: int, rows: int, count: int) -> Array:
    """Draw ``count`` different classes for each row, in the order in which they came; the last column is the number of
    draws that took. Class i of ``classes`` is drawn about as often as log((i + 2) / (i + 1))."""
    drawn = np.empty((rows, count + 1), np.int64)
    for row in drawn:
        seen: dict[int, None] = {}
        tries = 0
        while len(seen) < count:
            with _lock:
                number = _generator.random()
            seen.setdefault(int(np.exp(number * np.log(classes)) + 0.5) - 1)
            tries += 1
        row[:count], row[count] = list(seen), tries
    return drawn


def kept(share: float, shape: Sequence[int], dtype: Any) -> Array:
    """Draw what Dropout multiplies by: ``1 / share`` with that probability, else 0."""
    with _lock:
        chosen = _generator.random(tuple(shape)) < share
    return np.where(chosen, 1 / share if share else 0.0, 0.0).astype(dtype)


def new() -> np.random.Generator:
    """Return another generator, for numbers that nobody sees."""
    return np.random.default_rng(0)


#: The largest whole number up to which a dtype has all.
_LARGEST_WHOLE = {
    "uint8": 2**8 - 1, "int8": 2**7 - 1, "float16": 2**11, "float32": 2**24, "float64": 2**53, "int32": 2**31 - 1,
}  # fmt: skip


def require_countable(classes: int, dtype: str) -> None:
    """Raise ValueError where a dtype cannot number so many classes."""
    if classes > _LARGEST_WHOLE.get(dtype, classes):
        raise ValueError(f"{dtype} cannot count {classes} classes: use another dtype.")
