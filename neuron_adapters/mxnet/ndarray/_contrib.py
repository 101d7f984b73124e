"""Functions of ``mx.nd.contrib`` that are no operators."""

from __future__ import annotations

import math

import numpy as np

from neuron_adapters.mxnet import _entropy
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray import random
from neuron_adapters.mxnet.ndarray._array import NDArray

__all__ = ["boolean_mask", "calibrate_entropy", "isfinite", "isinf", "isnan", "rand_zipfian"]


def boolean_mask(data: NDArray, index: NDArray, axis: int = 0) -> NDArray:
    """Return the rows along ``axis`` where ``index`` is not zero."""
    if index.ndim != 1 or not -data.ndim <= axis < data.ndim or len(index) != data.shape[axis]:
        raise MXNetValueError(
            f"boolean_mask: index has a number for each row, got {index.shape} for axis {axis} of {data.shape}."
        )
    return NDArray(np.compress(index._array != 0, data._array, axis), data.context)


def calibrate_entropy(hist: NDArray, hist_edges: NDArray, num_quantized_bins: int = 255) -> list[NDArray]:
    """Return where to cut a histogram that is quantized to so many bins, and the KL divergence there."""
    if hist_edges.size != hist.size + 1:
        raise MXNetValueError(
            f"calibrate_entropy: hist_edges has a number more than hist, got {hist_edges.size} and {hist.size}."
        )
    numbers = _entropy.calibrate_entropy(hist._array.ravel(), hist_edges._array.ravel(), num_quantized_bins)
    return [NDArray(np.array([number], np.float32), hist.context) for number in numbers]


def isinf(data: NDArray) -> NDArray:
    """Return 1 where a number is infinite, else 0."""
    return NDArray(np.isinf(data._array).astype(data.dtype), data.context)


def isfinite(data: NDArray) -> NDArray:
    """Return 1 where a number is neither infinite nor NaN, else 0."""
    return NDArray(np.isfinite(data._array).astype(data.dtype), data.context)


def isnan(data: NDArray) -> NDArray:
    """Return 1 where a number is NaN, else 0."""
    return NDArray(np.isnan(data._array).astype(data.dtype), data.context)


def rand_zipfian(
    true_classes: NDArray, num_sampled: int, range_max: int, ctx: Context | None = None
) -> tuple[NDArray, NDArray, NDArray]:
    """Draw ``num_sampled`` classes below ``range_max``, of which small ones are likelier: class i with the probability
    log((i + 2) / (i + 1)) / log(range_max + 1).

    Returns the classes, and how often each of ``true_classes`` and each of them is expected.
    """
    context = true_classes.context if ctx is None else ctx
    drawn = random.uniform(0, math.log(range_max + 1), num_sampled, "float64").asnumpy()
    sampled = (np.exp(drawn).astype(np.int64) - 1) % range_max

    def expected(classes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> NDArray:
        counts = np.log((classes + 2) / (classes + 1)) / math.log(range_max + 1) * num_sampled
        return NDArray(counts, context)

    return NDArray(sampled, context), expected(true_classes._array.astype("f8")), expected(sampled.astype("f8"))
