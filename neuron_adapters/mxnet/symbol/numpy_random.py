"""``mx.sym.np.random``: nodes that draw anew for each run of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.symbol._symbol import Symbol
from neuron_adapters.mxnet.symbol.numpy import _node, _Symbol

__all__ = ["normal", "rand", "randint", "randn", "uniform"]

__getattr__: Missing = missing_names("mx.sym.np.random")

Size = int | Sequence[int] | None


def uniform(
    low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None, out: None = None  # noqa: ARG001
) -> Symbol:  # fmt: skip
    """Draw from the uniform distribution from ``low`` to ``high``, numbers or symbols."""
    if not _symbolic(low, high, size):
        return _node("_npi_uniform", [], low=float(low), high=float(high), size=_shape(size), dtype=_dtype(dtype))
    drawn: Symbol = low + (high - low) * _node("_random_uniform_like", [low + high])
    return drawn


def normal(
    loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None, out: None = None  # noqa: ARG001
) -> Symbol:  # fmt: skip
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``, numbers or symbols."""
    if not _symbolic(loc, scale, size):
        return _node("_npi_normal", [], loc=float(loc), scale=float(scale), size=_shape(size), dtype=_dtype(dtype))
    drawn: Symbol = loc + scale * _node("_random_normal_like", [loc + scale])
    return drawn


def randint(
    low: int, high: int | None = None, size: Size = None, dtype: Any = None, ctx: Any = None, out: None = None  # noqa: ARG001
) -> Symbol:  # fmt: skip
    """Draw whole numbers from ``low`` up to, but without, ``high``; from 0 to ``low`` where that is all."""
    first, last = (0, low) if high is None else (low, high)
    return _node("_random_randint", [], low=first, high=last, shape=_shape(size), dtype=_dtype(dtype or "int64"))


def rand(*size: int, **options: Any) -> Symbol:
    """Draw from 0 to 1; the shape comes first."""
    return uniform(size=size, **options)


def randn(*size: int, **options: Any) -> Symbol:
    """Draw from the standard normal distribution; the shape comes first."""
    return normal(size=size, **options)


def _symbolic(first: Any, second: Any, size: Size) -> bool:
    """Whether a parameter is a symbol, which says the shape then."""
    symbolic = isinstance(first, _Symbol) or isinstance(second, _Symbol)
    if symbolic and size is not None:
        raise MXNetValueError("mx.sym.np.random: a size beside parameters that are symbols is not in this package.")
    return symbolic


def _shape(size: Size) -> tuple[int, ...]:
    return () if size is None else (size,) if isinstance(size, int) else tuple(size)


def _dtype(dtype: Any) -> str:
    return np.dtype(dtype or "float32").name
