"""``mx.np.random``, seeded as ``mx.random`` is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.numpy._array import ndarray

__all__ = ["choice", "multinomial", "normal", "rand", "randint", "randn", "seed", "uniform"]

__getattr__: Missing = missing_names("mx.np.random")

Size = int | Sequence[int] | None


def seed(seed: int) -> None:
    """Restart the generator: the same numbers follow."""
    _random.seed(seed)


def uniform(low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw from the uniform distribution from ``low`` to ``high``."""
    return _drawn("uniform", (low, high), size, dtype or "float32", ctx)


def normal(loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``."""
    return _drawn("normal", (loc, scale), size, dtype or "float32", ctx)


def choice(
    a: Any, size: Size = None, replace: bool = True, p: Any = None, ctx: Any = None, out: ndarray | None = None
) -> ndarray:
    """Draw elements of a vector, or whole numbers below ``a``. ``p``: how probable each is. Raises MXNetValueError for
    what cannot be drawn."""
    raw, shares = (each._array if isinstance(each, ndarray) else each for each in (a, p))
    try:
        drawn = np.asarray(_random.choice(raw, size, replace, shares))
    except ValueError as error:
        raise MXNetValueError(f"mx.np.random.choice(): {error}.") from error
    if out is None:
        return ndarray(drawn, ctx)
    out[...] = ndarray(drawn, ctx)
    return out


def multinomial(n: int, pvals: Any, size: Size = None) -> ndarray:
    """Draw ``n`` times, and count how often each class came; ``pvals``: how probable each is. int64."""
    raw = pvals._array if isinstance(pvals, ndarray) else pvals
    try:
        return ndarray(_random.multinomial(n, raw, size))
    except ValueError as error:
        raise MXNetValueError(f"mx.np.random.multinomial(): {error}.") from error


def rand(*size: int) -> ndarray:
    """Draw from 0 to 1; the shape comes first."""
    return uniform(size=size)


def randn(*size: int) -> ndarray:
    """Draw from the standard normal distribution; the shape comes first."""
    return normal(size=size)


def randint(low: int, high: int | None = None, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw whole numbers from ``low`` up to, but without, ``high``; from 0 to ``low`` where that is all."""
    ends = (0, low) if high is None else (low, high)
    return _drawn("randint", ends, size, dtype or "int32", ctx)


def _drawn(distribution: str, parameters: Sequence[Any], size: Size, dtype: Any, ctx: Any) -> ndarray:
    raw = [each._array if isinstance(each, ndarray) else each for each in parameters]
    shape = np.broadcast_shapes(*(np.shape(each) for each in raw)) if size is None else size
    return ndarray(_random.draw(distribution, raw, (shape,) if isinstance(shape, int) else shape, dtype), ctx)
