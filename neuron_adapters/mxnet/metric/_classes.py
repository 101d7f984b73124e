"""Metrics of classes: how often the right one is chosen, and how likely it was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.metric._base import Array, OwnMetric, alias, check_label_shapes, pairs, register

__all__ = ["F1", "MCC", "PCC", "Accuracy", "CrossEntropy", "NegativeLogLikelihood", "Perplexity", "TopKAccuracy"]


@alias("acc")
@register
class Accuracy(OwnMetric):
    """How many are right, of classes along ``axis``."""

    def __init__(self, axis: int = 1, name: str = "accuracy", **options: Any) -> None:
        super().__init__(name, **options)
        self.axis: int = axis
        self._kwargs["axis"] = axis

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        if pred.shape != label.shape:
            pred = np.argmax(pred, axis=self.axis)
        chosen, right = pred.astype("int32").reshape(-1), label.astype("int32").reshape(-1)
        check_label_shapes(right, chosen)
        return float((chosen == right).sum()), chosen.size


@alias("top_k_accuracy", "top_k_acc")
@register
class TopKAccuracy(OwnMetric):
    """How many are among the ``top_k`` most likely."""

    def __init__(self, top_k: int = 1, name: str = "top_k_accuracy", **options: Any) -> None:
        if top_k < 2:
            raise MXNetValueError(f"top_k must be 2 or more, got {top_k}: Accuracy is for one.")
        super().__init__(name, **options)
        self.top_k: int = top_k
        self._kwargs["top_k"] = top_k
        self._plain_name, self.name = self.name, f"{self.name}_{top_k}"

    def get_config(self) -> dict[str, Any]:
        """Return what ``create`` makes the same metric of."""
        return {**super().get_config(), "name": self._plain_name}

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        order = np.argsort(pred.astype("float32"), axis=-1).reshape(len(pred), -1)
        right = label.astype("int32").reshape(-1, 1)
        check_label_shapes(right, order)
        return float((order[:, -self.top_k :] == right).any(1).sum()), len(order)


class _OfTwoClasses(OwnMetric):
    """A score of how often each of two classes is taken for which. ``average``: "macro", the mean over batches, or
    "micro", that of all rows."""

    def __init__(self, name: str, average: str = "macro", **options: Any) -> None:
        if average not in ("macro", "micro"):
            raise MXNetValueError(f"average is macro or micro, got {average!r}.")
        self.average = average
        super().__init__(name, **options)
        self._kwargs["average"] = average

    def reset(self) -> None:
        """Start anew."""
        self._global_counts = np.zeros((2, 2))
        super().reset()

    def reset_local(self) -> None:
        """Start anew; what ``get_global`` says goes on."""
        self._counts = np.zeros((2, 2))
        super().reset_local()

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        counts = np.zeros((2, 2))
        for label, pred in pairs(labels, preds):
            right, chosen = label.astype("int32").reshape(-1), np.argmax(pred, axis=1)
            if len(np.unique(right)) > 2 or len(right) != len(chosen):
                raise MXNetValueError(f"{type(self).__name__} is for two classes, and as many labels as predictions.")
            np.add.at(counts, ((right == 1).astype(int), (chosen == 1).astype(int)), 1)
        self._counts += counts
        self._global_counts += counts
        self._add(*((self._score(counts), 1) if self.average == "macro" else (0.0, int(counts.sum()))))

    def get(self) -> tuple[Any, Any]:
        """Return the name and the score."""
        macro = self.average == "macro" or not self.num_inst
        return super().get() if macro else (self.name, self._score(self._counts))

    def get_global(self) -> tuple[Any, Any]:
        """Return the name and the score since ``reset``."""
        macro = self.average == "macro" or not self.global_num_inst
        return super().get_global() if macro else (self.name, self._score(self._global_counts))

    def _score(self, counts: Array) -> float:
        """Return the score of a table: in row 1 what is of class 1, in column 1 what is taken for it."""
        raise NotImplementedError


@register
class F1(_OfTwoClasses):
    """The F1 score of two classes."""

    def __init__(self, name: str = "f1", average: str = "macro", **options: Any) -> None:
        super().__init__(name, average, **options)

    def _score(self, counts: Array) -> float:
        hits = counts[1, 1]
        return float(2 * hits / (counts[1].sum() + counts[:, 1].sum())) if hits else 0.0


@register
class MCC(_OfTwoClasses):
    """Matthews' correlation coefficient of two classes, from -1 to 1."""

    def __init__(self, name: str = "mcc", average: str = "macro", **options: Any) -> None:
        super().__init__(name, average, **options)

    def _score(self, counts: Array) -> float:
        sums = [float(total) for total in (*counts.sum(0), *counts.sum(1)) if total]
        difference = counts[1, 1] * counts[0, 0] - counts[0, 1] * counts[1, 0]
        return float(difference / math.sqrt(math.prod(sums)))


@register
class PCC(OwnMetric):
    """The correlation of labels and chosen classes, of any number of classes: of two it is that of ``MCC``."""

    def __init__(self, name: str = "pcc", **options: Any) -> None:
        super().__init__(name, **options)

    def reset(self) -> None:
        """Start anew."""
        self._global_counts = np.zeros((2, 2))
        super().reset()

    def reset_local(self) -> None:
        """Start anew; what ``get_global`` says goes on."""
        self._counts = np.zeros((2, 2))
        super().reset_local()

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        for label, pred in pairs(labels, preds):
            right = label.astype("int32").reshape(-1)
            chosen = (pred if pred.shape == label.shape else np.argmax(pred, axis=1)).astype("int32").reshape(-1)
            check_label_shapes(right, chosen)
            classes = 1 + max(right.max(initial=0), chosen.max(initial=0))
            counts = np.zeros((classes, classes))
            np.add.at(counts, (right, chosen), 1)
            self._counts = _sum(self._counts, counts)
            self._global_counts = _sum(self._global_counts, counts)
        self._add(0.0, 1)

    def get(self) -> tuple[Any, Any]:
        """Return the name and the correlation: NaN where all are of one class."""
        return self.name, _correlation(self._counts)

    def get_global(self) -> tuple[Any, Any]:
        """Return the name and the correlation since ``reset``."""
        return self.name, _correlation(self._global_counts)


def _sum(first: Array, second: Array) -> Array:
    """Add two square tables, of which one may be larger."""
    size = max(len(first), len(second))
    total = np.zeros((size, size))
    for table in (first, second):
        total[: len(table), : len(table)] += table
    return total


def _correlation(counts: Array) -> float:
    total, right, chosen = counts.sum(), counts.sum(1), counts.sum(0)
    spread = float((right * (total - right)).sum()), float((chosen * (total - chosen)).sum())
    if 0 in spread:
        return math.nan
    return float((counts.diagonal() * total - right * chosen).sum() / math.sqrt(spread[0] * spread[1]))


@alias("ce")
@register
class CrossEntropy(OwnMetric):
    """The mean of -log of the probability of the right class."""

    def __init__(self, eps: float = 1e-12, name: str = "cross-entropy", **options: Any) -> None:
        super().__init__(name, **options)
        self.eps: float = eps
        self._kwargs["eps"] = eps

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        right = label.reshape(-1).astype("int64")
        check_label_shapes(right, pred)
        shares = pred[np.arange(len(right)), right]
        return float(-np.log(shares + self.eps).sum()), len(right)


@alias("nll_loss")
@register
class NegativeLogLikelihood(CrossEntropy):
    """The same, by its other name."""

    def __init__(self, eps: float = 1e-12, name: str = "nll-loss", **options: Any) -> None:
        super().__init__(eps, name, **options)


@register
class Perplexity(OwnMetric):
    """How many classes a model is torn between, without rows of the label ``ignore_label``."""

    ignore_label: Any
    axis: int

    def __init__(self, ignore_label: Any, axis: int = -1, name: str = "perplexity", **options: Any) -> None:
        super().__init__(name, **options)
        self.ignore_label, self.axis = ignore_label, axis
        self._kwargs.update(ignore_label=ignore_label, axis=axis)

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        rows = np.moveaxis(pred, self.axis, -1).reshape(-1, pred.shape[self.axis])
        right = label.reshape(-1).astype("int64")
        check_label_shapes(right, rows)
        shares = rows[np.arange(len(right)), np.clip(right, 0, rows.shape[1] - 1)]
        count = len(right)
        if self.ignore_label is not None:
            ignored = right == self.ignore_label
            shares, count = np.where(ignored, shares.dtype.type(1), shares), count - int(ignored.sum())
        return float(-np.log(np.maximum(1e-10, shares)).sum()), count

    def _mean(self, total: float, count: int) -> float:
        return math.exp(total / count) if count else math.nan
