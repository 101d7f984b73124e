"""Whether random numbers have the distribution that they should have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["chi_square_check", "gen_buckets_probs_with_ppf", "mean_check", "var_check", "verify_generator"]

Array = np.ndarray[Any, Any]
Generator = Callable[[int], Any]


def gen_buckets_probs_with_ppf(
    ppf: Callable[[float], float], nbuckets: int
) -> tuple[list[tuple[float, float]], list[float]]:
    """Return intervals that are equally likely, and their probabilities. ``ppf``: the quantile function."""
    if nbuckets < 1:
        raise ValueError(f"there is at least one bucket, got {nbuckets}")
    ends = [ppf(place / nbuckets) for place in range(nbuckets + 1)]
    return list(itertools.pairwise(ends)), [1 / nbuckets] * nbuckets


def mean_check(generator: Generator, mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the mean is within three standard errors of ``mu``."""
    return bool(abs(np.asarray(generator(nsamples)).mean() - mu) < 3 * sigma / np.sqrt(nsamples))


def var_check(generator: Generator, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the variance is within three standard errors of that of a normal distribution."""
    variance = np.asarray(generator(nsamples)).var(ddof=1)
    return bool(abs(variance - sigma**2) < 3 * np.sqrt(2 * sigma**4 / (nsamples - 1)))


def chi_square_check(
    generator: Generator, buckets: Sequence[Any], probs: Sequence[float], nsamples: int = 1000000
) -> tuple[float, Array, Array]:
    """Return the p-value of Pearson's test, and how many of ``nsamples`` numbers were in each bucket and should be.

    ``buckets``: intervals in ascending order, or the values themselves. Takes SciPy.
    """
    from scipy import stats  # type: ignore[import-untyped]

    if len(buckets) != len(probs):
        raise ValueError(f"each bucket has a probability, got {len(buckets)} and {len(probs)}")
    samples = np.asarray(generator(nsamples))
    expected = (nsamples * np.asarray(probs, np.float32)).astype(np.int32)
    if isinstance(buckets[0], (list, tuple)):
        ends = np.asarray(buckets, np.float32).ravel()
        if np.any(np.diff(ends) < 0):
            raise ValueError("buckets are intervals in ascending order that do not overlap")
        places = np.searchsorted(ends, samples, side="right") // 2
        observed = np.array([(places == place).sum() for place in range(len(buckets))])
    else:
        observed = np.array([(samples == value).sum() for value in buckets])
    # SciPy's own function insists on equal sums, and buckets need not cover every number.
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, len(buckets) - 1)), observed, expected


def verify_generator(
    generator: Generator,
    buckets: Sequence[Any],
    probs: Sequence[float],
    nsamples: int = 1000000,
    nrepeat: int = 5,
    success_rate: float = 0.2,
    alpha: float = 0.05,
) -> list[float]:
    """Return the p-values of ``nrepeat`` tests. Raises AssertionError where less than the share ``success_rate`` of
    them is above ``alpha``."""
    results = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    likely = [p for p, _observed, _expected in results]
    if sum(p > alpha for p in likely) < nrepeat * success_rate:
        counts = "; ".join(f"{observed.tolist()} of {expected.tolist()}" for _p, observed, expected in results[:3])
        raise AssertionError(f"not the expected distribution: p={likely} in the buckets {list(buckets)}, {counts}")
    return likely
