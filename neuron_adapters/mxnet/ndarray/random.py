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
    low: float = 0, high: float = 1, shape: Shape = (1,), dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the uniform distribution from ``low`` to ``high``; ``out`` takes the numbers, in its shape."""
    with _lock:
        return _given(_drawn.uniform(low, high, shape if out is None else out.shape), dtype, ctx, out)


def normal(
    loc: float = 0, scale: float = 1, shape: Shape = (1,), dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``; ``out`` takes the numbers."""
    with _lock:
        return _given(_drawn.normal(loc, scale, shape if out is None else out.shape), dtype, ctx, out)


def _given(numbers: Any, dtype: Any, ctx: Context | None, out: NDArray | None) -> NDArray:
    if out is None:
        return NDArray(np.asarray(numbers).astype(dtype_of(dtype)), ctx)
    out[:] = np.asarray(numbers)
    return out


def randn(*shape: int, loc: float = 0, scale: float = 1, dtype: Any = None, ctx: Context | None = None) -> NDArray:
    """Draw from the normal distribution; the shape comes first."""
    return normal(loc, scale, shape or (1,), dtype, ctx)


def randint(
    low: int, high: int, shape: Shape = (1,), dtype: Any = "int32", ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw whole numbers from ``low`` up to, but without, ``high``; ``out`` takes them."""
    with _lock:
        return _given(_drawn.integers(low, high, shape if out is None else out.shape), dtype, ctx, out)


def shuffle(data: NDArray) -> NDArray:
    """Copy with the rows in random order."""
    with _lock:
        return NDArray(_drawn.permutation(data._array), data.context)
