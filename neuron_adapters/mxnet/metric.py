"""``mx.metric``: how well outputs agree with labels, as evaluation loops sum it up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "F1", "MAE", "MSE", "RMSE", "Accuracy", "CompositeEvalMetric", "CrossEntropy", "CustomMetric", "EvalMetric", "Loss",
    "NegativeLogLikelihood", "PearsonCorrelation", "Perplexity", "TopKAccuracy", "check_label_shapes", "create",
    "register",
]  # fmt: skip

Array = np.ndarray[Any, Any]
K = TypeVar("K", bound=type)
_registry: dict[str, Callable[..., EvalMetric]] = {}


def register(*names: str) -> Callable[[K], K]:
    """Let ``create`` find a class by its name in small letters, and by ``names``."""

    def add(kind: K) -> K:
        _registry.update(dict.fromkeys((kind.__name__.lower(), *names), kind))
        return kind

    return add


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """Return a metric: itself, that of a name, of a function of labels and outputs, or of a list of such."""
    if isinstance(metric, EvalMetric):
        return metric
    if isinstance(metric, (list, tuple)):
        return CompositeEvalMetric([create(one, *args, **kwargs) for one in metric])
    if callable(metric):
        return CustomMetric(metric, *args, **kwargs)
    if str(metric).lower() not in _registry:
        raise MXNetValueError(f"there is no metric {metric!r}. These are: {', '.join(sorted(_registry))}.")
    return _registry[str(metric).lower()](*args, **kwargs)


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Return both, as lists where ``wrap``. Raises ValueError where they differ in number, or in shape."""
    counts = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if counts[0] != counts[1]:
        raise MXNetValueError(f"labels and predictions must agree, got {counts[0]} and {counts[1]}.")
    if wrap:
        labels, preds = ([one] if isinstance(one, NDArray) else one for one in (labels, preds))
    return labels, preds


def _array(value: Any) -> Array:
    return value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)


class EvalMetric:
    """A sum over batches and its count; ``get()`` gives the name and the mean. ``output_names``, ``label_names``: which
    of those of ``update_dict`` count."""

    output_names: Sequence[str] | None
    label_names: Sequence[str] | None
    sum_metric: float
    num_inst: int
    global_sum_metric: float
    global_num_inst: int

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.name: str = str(name)
        self.output_names, self.label_names = output_names, label_names
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in: lists of labels and of outputs."""
        for label, pred in zip(*check_label_shapes(*_lists(labels, preds))):
            self._add(*self._batch(_array(label), _array(pred)))

    def _add(self, total: float, count: int) -> None:
        self.sum_metric += total
        self.num_inst += count
        self.global_sum_metric += total
        self.global_num_inst += count

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        """Return the sum of a batch, and of how many."""
        raise NotImplementedError

    def update_dict(self, label: Mapping[str, NDArray], pred: Mapping[str, NDArray]) -> None:
        """Take a batch in, by name."""
        labels = list(label.values()) if self.label_names is None else [label[name] for name in self.label_names]
        preds = list(pred.values()) if self.output_names is None else [pred[name] for name in self.output_names]
        self.update(labels, preds)

    def reset(self) -> None:
        """Start anew."""
        self.global_sum_metric, self.global_num_inst = 0.0, 0
        self.reset_local()

    def reset_local(self) -> None:
        """Start anew; what ``get_global`` says goes on."""
        self.sum_metric, self.num_inst = 0.0, 0

    def get(self) -> tuple[Any, Any]:
        """Return the name, and the mean: NaN where nothing came in."""
        return self.name, self._mean(self.sum_metric, self.num_inst)

    def get_global(self) -> tuple[Any, Any]:
        """Return the name, and the mean since ``reset``."""
        return self.name, self._mean(self.global_sum_metric, self.global_num_inst)

    def _mean(self, total: float, count: int) -> float:
        return total / count if count else math.nan

    def get_name_value(self) -> list[tuple[str, float]]:
        """Return names with means."""
        return _pairs(*self.get())

    def get_global_name_value(self) -> list[tuple[str, float]]:
        """Return names with means since ``reset``."""
        return _pairs(*self.get_global())


def _pairs(name: Any, value: Any) -> list[tuple[str, float]]:
    return list(zip(name, value)) if isinstance(name, list) else [(name, value)]


def _lists(labels: Any, preds: Any) -> tuple[Any, Any]:
    return tuple([one] if isinstance(one, (NDArray, np.ndarray)) else one for one in (labels, preds))  # type: ignore[return-value]


@register("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics at once."""

    def __init__(self, metrics: Sequence[Any] | None = None, name: str = "composite", **options: Any) -> None:
        self.metrics: list[EvalMetric] = [create(metric) for metric in metrics or []]
        super().__init__(name, **options)

    def add(self, metric: Any) -> None:
        """Add one."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """Return one by its number."""
        return self.metrics[index]

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def update_dict(self, label: Mapping[str, NDArray], pred: Mapping[str, NDArray]) -> None:
        """Take a batch in, by name."""
        for metric in self.metrics:
            metric.update_dict(label, pred)

    def reset(self) -> None:
        """Start anew."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """Start anew; what ``get_global`` says goes on."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[float]]:
        """Return all names and all means."""
        pairs = [pair for metric in self.metrics for pair in metric.get_name_value()]
        return [name for name, _value in pairs], [value for _name, value in pairs]

    def get_global(self) -> tuple[list[str], list[float]]:
        """Return all names and all means since ``reset``."""
        pairs = [pair for metric in self.metrics for pair in metric.get_global_name_value()]
        return [name for name, _value in pairs], [value for _name, value in pairs]


@register("acc")
class Accuracy(EvalMetric):
    """How many are right, of classes along ``axis``."""

    def __init__(self, axis: int = 1, name: str = "accuracy", **options: Any) -> None:
        super().__init__(name, **options)
        self.axis = axis

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        if pred.shape != label.shape:
            pred = np.argmax(pred, axis=self.axis)
        chosen, right = pred.astype("int32").reshape(-1), label.astype("int32").reshape(-1)
        check_label_shapes(right, chosen)
        return float((chosen == right).sum()), chosen.size


@register("top_k_accuracy", "top_k_acc")
class TopKAccuracy(EvalMetric):
    """How many are among the ``top_k`` most likely."""

    def __init__(self, top_k: int = 1, name: str = "top_k_accuracy", **options: Any) -> None:
        if top_k < 2:
            raise MXNetValueError(f"top_k must be 2 or more, got {top_k}: Accuracy is for one.")
        super().__init__(f"{name}_{top_k}", **options)
        self.top_k = top_k

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        order = np.argsort(pred.astype("float32"), axis=-1).reshape(len(pred), -1)
        right = label.astype("int32").reshape(-1, 1)
        check_label_shapes(right, order)
        return float((order[:, -self.top_k :] == right).any(1).sum()), len(order)


@register()
class F1(EvalMetric):
    """The F1 score of two classes. ``average``: "macro", the mean over batches, or "micro", that of all rows."""

    def __init__(self, name: str = "f1", average: str = "macro", **options: Any) -> None:
        if average not in ("macro", "micro"):
            raise MXNetValueError(f"average is macro or micro, got {average!r}.")
        self.average = average
        super().__init__(name, **options)

    def reset(self) -> None:
        """Start anew."""
        self._global_counts = np.zeros(3)
        super().reset()

    def reset_local(self) -> None:
        """Start anew; what ``get_global`` says goes on."""
        self._counts = np.zeros(3)
        super().reset_local()

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        counts, rows = np.zeros(3), 0
        for label, pred in zip(*check_label_shapes(*_lists(labels, preds))):
            right, chosen = _array(label).astype("int32").reshape(-1), np.argmax(_array(pred), axis=1)
            if len(np.unique(right)) > 2 or len(right) != len(chosen):
                raise MXNetValueError("F1 is for two classes, and as many labels as predictions.")
            hits = float(((chosen == 1) & (right == 1)).sum())
            counts += [hits, float((chosen == 1).sum()), float((right == 1).sum())]
            rows += len(right)
        self._counts += counts
        self._global_counts += counts
        self._add(*((_f1(counts), 1) if self.average == "macro" else (0.0, rows)))

    def get(self) -> tuple[Any, Any]:
        """Return the name and the score."""
        return super().get() if self.average == "macro" or not self.num_inst else (self.name, _f1(self._counts))

    def get_global(self) -> tuple[Any, Any]:
        """Return the name and the score since ``reset``."""
        macro = self.average == "macro" or not self.global_num_inst
        return super().get_global() if macro else (self.name, _f1(self._global_counts))


def _f1(counts: Array) -> float:
    hits, chosen, right = counts
    return float(2 * hits / (chosen + right)) if hits else 0.0


class _Distance(EvalMetric):
    """A mean over each batch."""

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        if label.ndim == 1:
            label = label.reshape(-1, 1)
        if pred.ndim == 1:
            pred = pred.reshape(-1, 1)
        return float(self._distance(label, pred)), 1

    def _distance(self, label: Array, pred: Array) -> Any:
        raise NotImplementedError


@register()
class MAE(_Distance):
    """The mean distance."""

    def __init__(self, name: str = "mae", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return np.abs(label - pred).mean()


@register()
class MSE(_Distance):
    """The mean squared distance."""

    def __init__(self, name: str = "mse", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return ((label - pred) ** 2.0).mean()


@register()
class RMSE(_Distance):
    """The root of the mean squared distance."""

    def __init__(self, name: str = "rmse", **options: Any) -> None:
        super().__init__(name, **options)

    def _distance(self, label: Array, pred: Array) -> Any:
        return np.sqrt(((label - pred) ** 2.0).mean())


@register("ce")
class CrossEntropy(EvalMetric):
    """The mean of -log of the probability of the right class."""

    def __init__(self, eps: float = 1e-12, name: str = "cross-entropy", **options: Any) -> None:
        super().__init__(name, **options)
        self.eps = eps

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        right = label.reshape(-1).astype("int64")
        check_label_shapes(right, pred)
        shares = pred[np.arange(len(right)), right]
        return float(-np.log(shares + self.eps).sum()), len(right)


@register("nll_loss")
class NegativeLogLikelihood(CrossEntropy):
    """The same, by its other name."""

    def __init__(self, eps: float = 1e-12, name: str = "nll-loss", **options: Any) -> None:
        super().__init__(eps, name, **options)


@register()
class Perplexity(EvalMetric):
    """How many classes a model is torn between, without rows of the label ``ignore_label``."""

    ignore_label: Any
    axis: int

    def __init__(self, ignore_label: Any, axis: int = -1, name: str = "perplexity", **options: Any) -> None:
        super().__init__(name, **options)
        self.ignore_label, self.axis = ignore_label, axis

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        rows = np.moveaxis(pred, self.axis, -1).reshape(-1, pred.shape[self.axis])
        right = label.reshape(-1).astype("int64")
        check_label_shapes(right, rows)
        shares = rows[np.arange(len(right)), np.clip(right, 0, rows.shape[1] - 1)].astype("float64")
        count = len(right)
        if self.ignore_label is not None:
            ignored = right == self.ignore_label
            shares, count = np.where(ignored, 1, shares), count - int(ignored.sum())
        return float(-np.log(np.maximum(1e-10, shares)).sum()), count

    def _mean(self, total: float, count: int) -> float:
        return math.exp(total / count) if count else math.nan


@register("pearsonr")
class PearsonCorrelation(EvalMetric):
    """The correlation, a mean over batches."""

    def __init__(self, name: str = "pearsonr", **options: Any) -> None:
        super().__init__(name, **options)

    def _batch(self, label: Array, pred: Array) -> tuple[float, int]:
        check_label_shapes(label, pred, shape=True)
        return float(np.corrcoef(pred.reshape(-1), label.reshape(-1))[0, 1]), 1


@register()
class Loss(EvalMetric):
    """The mean of outputs that are losses; labels do not count."""

    def __init__(self, name: str = "loss", **options: Any) -> None:
        super().__init__(name, **options)

    def update(self, _labels: Any, preds: Any) -> None:
        """Take a batch in."""
        for pred in [preds] if isinstance(preds, (NDArray, np.ndarray)) else preds:
            self._add(float(_array(pred).sum()), pred.size)


class CustomMetric(EvalMetric):
    """``feval(label, pred)`` of NumPy's arrays: a number, or a sum and a count."""

    def __init__(
        self, feval: Callable[[Array, Array], Any], name: str | None = None, allow_extra_outputs: bool = False,
        **options: Any,
    ) -> None:  # fmt: skip
        shown = getattr(feval, "__name__", "custom")
        super().__init__(name or (f"custom({shown})" if "<" in shown else shown), **options)
        self._feval, self._allow_extra = feval, allow_extra_outputs

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        labels, preds = _lists(labels, preds)
        if not self._allow_extra:
            check_label_shapes(labels, preds)
        for label, pred in zip(labels, preds):
            result = self._feval(_array(label), _array(pred))
            self._add(*(result if isinstance(result, tuple) else (result, 1)))
