"""Where to cut a histogram so that quantizing it loses least."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: What is added to an empty bin, before two distributions are compared.
_SMOOTHING = np.float32(0.0001)


def calibrate_entropy(hist: Array, hist_edges: Array, num_quantized_bins: int = 255) -> tuple[float, float]:
    """Return the threshold at which a histogram, cut there and quantized, has the least KL divergence from itself cut
    only, and that divergence.

    Computes as MXNet does: in float32, sums in the order of the bins.
    """
    counts, edges = hist.astype(np.float32), hist_edges.astype(np.float32)
    middle = len(counts) // 2
    best, least = float(edges[min(len(edges) - 1, middle + num_quantized_bins // 2 + 1)]), float(np.finfo("f4").max)
    for half in range(num_quantized_bins // 2, middle + 1):
        divergence = _divergence(counts, middle - half, middle + half + 1, num_quantized_bins)
        if divergence < least:
            best, least = float(edges[middle + half + 1]), divergence
    return best, least


def _divergence(counts: Array, start: int, stop: int, bins: int) -> float:
    """Compare the bins from ``start`` to ``stop``, which get what is outside, with ``bins`` quantized ones."""
    cut = counts[start:stop].copy()
    inner = cut.astype(np.int64)
    inner[0] = 0
    cut[0] = _sum(counts[: start + 1])
    if stop < len(counts):
        cut[-1] = _sum(np.concatenate([cut[-1:], counts[stop:]]))
    quantized = _spread(inner, cut, bins)
    left, right = _smooth(cut), _smooth(quantized)
    if left is None or right is None:
        return float("inf")
    left, right = left / _sum(left), right / _sum(right)
    return float(_sum(left * np.log(left / right)))


def _spread(inner: Array, cut: Array, bins: int) -> Array:
    """Merge into ``bins``, and give each bin of ``cut`` that is not empty its share."""
    width = len(inner) // bins
    starts = np.arange(bins) * width
    totals, filled = (np.add.reduceat(array, starts) for array in (inner, (inner != 0).astype(np.int64)))
    shares = np.where(filled > 0, totals.astype(np.float32) / np.maximum(filled, 1).astype(np.float32), np.float32(0))
    lengths = np.diff([*starts, len(inner)])
    return np.where(cut != 0, np.repeat(shares, lengths), np.float32(0)).astype(np.float32)


def _smooth(distribution: Array) -> Array | None:
    """Give empty bins a little of what the others have; None where that is all they have."""
    empty = distribution == 0
    none = int(empty.sum())
    some = distribution.size - none
    taken = _SMOOTHING * np.float32(none) / np.float32(max(1, some))
    if not some or taken >= 1:
        return None
    return distribution + np.where(empty, _SMOOTHING, -taken)


def _sum(values: Array) -> Any:
    """Add one after another, in float32."""
    return np.add.accumulate(values, dtype=np.float32)[-1] if values.size else np.float32(0)
