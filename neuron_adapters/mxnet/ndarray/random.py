"""Random arrays. The numbers are NumPy's, not those that MXNet draws for the same seed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray, dtype_of

__all__ = ["normal", "randint", "randn", "seed", "shuffle", "uniform"]

Shape = int | Sequence[int]

_lock = threading.RLock()  # a signal handler may be here again
_drawn = np.random.default_rng()


def seed(seed_state: int, ctx: Context | str = "all") -> None:  # noqa: ARG001 - there is one generator for all
    """Restart the generator: the same numbers follow."""
    global _drawn
    with _lock:
        _drawn = np.random.default_rng(seed_state)


def uniform(
    low: float = 0, high: float = 1, shape: Shape = (1,), dtype: Any = None, ctx: Context | None = None
) -> NDArray:
    """Draw from the uniform distribution from ``low`` to ``high``."""
    with _lock:
        return NDArray(np.asarray(_drawn.uniform(low, high, shape)).astype(dtype_of(dtype)), ctx)


def normal(
    loc: float = 0, scale: float = 1, shape: Shape = (1,), dtype: Any = None, ctx: Context | None = None
) -> NDArray:
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``."""
    with _lock:
        return NDArray(np.asarray(_drawn.normal(loc, scale, shape)).astype(dtype_of(dtype)), ctx)


def randn(*shape: int, loc: float = 0, scale: float = 1, dtype: Any = None, ctx: Context | None = None) -> NDArray:
    """Draw from the normal distribution; the shape comes first."""
    return normal(loc, scale, shape or (1,), dtype, ctx)


def randint(low: int, high: int, shape: Shape = (1,), dtype: Any = "int32", ctx: Context | None = None) -> NDArray:
    """Draw whole numbers from ``low`` up to, but without, ``high``."""
    with _lock:
        return NDArray(np.asarray(_drawn.integers(low, high, shape)).astype(dtype_of(dtype)), ctx)


def shuffle(data: NDArray) -> NDArray:
    """Copy with the rows in random order."""
    with _lock:
        return NDArray(_drawn.permutation(data._array), data.context)
