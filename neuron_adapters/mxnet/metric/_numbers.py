"""Metrics of numbers: how far outputs are from labels, and how they go together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.metric._base import Array, OwnMetric, alias, as_array, check_label_shapes, register
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["MAE", "MSE", "RMSE", "Caffe", "Loss", "PearsonCorrelation", "Torch"]


class _Distance(OwnMetric):
    """A mean over each batch."""

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        if label.ndim == 1:
            label = label.reshape(-1, 1)
        if pred.ndim == 1:
            pred = pred.reshape(-1, 1)
        return float(self._distance(label, pred)), 1

    def _distance(self, label: Array, pred: Array) -> Any:
        raise NotImplementedError


@register
class MAE(_Distance):
    """The mean distance."""

    def __init__(self, name: str = "mae", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return np.abs(label - pred).mean()


@register
class MSE(_Distance):
    """The mean squared distance."""

    def __init__(self, name: str = "mse", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return ((label - pred) ** 2.0).mean()


@register
class RMSE(_Distance):
    """The root of the mean squared distance."""

    def __init__(self, name: str = "rmse", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return np.sqrt(((label - pred) ** 2.0).mean())


@alias("pearsonr")
@register
class PearsonCorrelation(OwnMetric):
    """The correlation. ``average``: "macro", the mean over batches, or "micro", that of all numbers."""

    def __init__(self, name: str = "pearsonr", average: str = "macro", **options: Any) -> None:
        if average not in ("macro", "micro"):
            raise MXNetValueError(f"average is macro or micro, got {average!r}.")
        self.average = average
        super().__init__(name, **options)
        self._kwargs["average"] = average

    def reset(self) -> None:
        """Start anew. What "micro" sums up goes on after ``reset_local``, as in MXNet."""
        self._moments = _Moments()
        super().reset()

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        check_label_shapes(label, pred, shape=True)
        if self.average == "macro":
            return float(np.corrcoef(pred.reshape(-1), label.reshape(-1))[0, 1]), 1
        self._moments.add(label.reshape(-1).astype("f8"), pred.reshape(-1).astype("f8"))
        return 0.0, 1

    def get(self) -> tuple[Any, Any]:
        """Return the name and the correlation."""
        return super().get() if self.average == "macro" else (self.name, self._moments.correlation())

    def get_global(self) -> tuple[Any, Any]:
        """Return the name and the correlation since ``reset``."""
        return super().get_global() if self.average == "macro" else self.get()


class _Moments:
    """Means, variances and the covariance of two series that come in parts, each times the count."""

    def __init__(self) -> None:
        self._count = 0
        self._means, self._products = np.zeros(2), np.zeros((2, 2))

    def add(self, first: Array, second: Array) -> None:
        """Take in a part of both. Parts are joined by Chan's formula, which subtracts no large numbers."""
        both = np.stack([first, second])
        means, count = both.mean(1), both.shape[1]
        spread = both - means[:, None]
        apart = means - self._means
        total = self._count + count
        self._products += spread @ spread.T + np.outer(apart, apart) * self._count * count / total
        self._means += apart * count / total
        self._count = total

    def correlation(self) -> float:
        """Return it; NaN where nothing came in."""
        variances = float(self._products[0, 0]) * float(self._products[1, 1])
        return float(self._products[0, 1]) / math.sqrt(variances) if variances else math.nan


@register
class Loss(OwnMetric):
    """The mean of outputs that are losses; labels do not count."""

    def __init__(self, name: str = "loss", **options: Any) -> None:
        super().__init__(name, **options)

    def update(self, _labels: Any, preds: Any) -> None:
        """Take a batch in."""
        for pred in [preds] if isinstance(preds, (NDArray, np.ndarray)) else preds:
            self._add(float(as_array(pred).sum()), pred.size)


@register
class Torch(Loss):
    """The same, by another name."""

    def __init__(self, name: str = "torch", **options: Any) -> None:
        super().__init__(name, **options)


@register
class Caffe(Loss):
    """The same, by another name."""

    def __init__(self, name: str = "caffe", **options: Any) -> None:
        super().__init__(name, **options)
