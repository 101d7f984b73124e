"""What metrics have in common: sums and counts, names, and how ``create`` finds one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy  # noqa: ICN001 - np is one of MXNet's functions

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "CompositeEvalMetric", "CustomMetric", "EvalMetric", "OwnMetric", "alias", "check_label_shapes", "create", "np",
    "register",
]  # fmt: skip

Array = numpy.ndarray[Any, Any]
Kind = TypeVar("Kind", bound=type)
_registry: dict[str, Callable[..., EvalMetric]] = {}


def register(klass: Kind, name: str | None = None) -> Kind:
    """Let ``create`` find a class by ``name``, or by its own, in small letters."""
    _registry[(name or klass.__name__).lower()] = klass
    return klass


def alias(*aliases: str) -> Callable[[Kind], Kind]:
    """Let ``create`` find the decorated class by these names, too."""

    def add(kind: Kind) -> Kind:
        for name in aliases:
            register(kind, name)
        return kind

    return add


def create(metric: Any = None, *args: Any, **kwargs: Any) -> EvalMetric:
    """Return a metric: itself, that of a name, of a function of labels and outputs, of what ``get_config`` returns, or
    of its JSON, or of a list of such. Raises MXNetValueError for an unknown name."""
    name = kwargs.pop("metric") if metric is None else metric
    if isinstance(name, EvalMetric):
        return name
    if isinstance(name, Mapping):
        return create(**name)
    if isinstance(name, (list, tuple)):
        return CompositeEvalMetric([create(part, *args, **kwargs) for part in name])
    if callable(name):
        return CustomMetric(name, *args, **kwargs)
    if str(name).startswith(("[", "{")):
        config = json.loads(name)
        return create(config) if isinstance(config, dict) else create(config[0], **config[1])
    if str(name).lower() not in _registry:
        raise MXNetValueError(f"there is no metric {name!r}. These are: {', '.join(sorted(_registry))}.")
    return _registry[str(name).lower()](*args, **kwargs)


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Return both, as lists where ``wrap``. Raises ValueError where they differ in number, or in shape."""
    counts = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if counts[0] != counts[1]:
        raise MXNetValueError(f"labels and predictions must agree, got {counts[0]} and {counts[1]}.")
    if wrap:
        labels, preds = ([arrays] if isinstance(arrays, NDArray) else arrays for arrays in (labels, preds))
    return labels, preds


def as_array(value: Any) -> Array:
    """Return it as NumPy's."""
    return value.asnumpy() if isinstance(value, NDArray) else numpy.asarray(value)


def pairs(labels: Any, preds: Any) -> list[tuple[Array, Array]]:
    """Return labels with the outputs they belong to: of lists, or of two arrays. Raises MXNetValueError where there is
    not one for each."""
    listed = check_label_shapes(_listed_arrays(labels), _listed_arrays(preds))
    return [(as_array(label), as_array(pred)) for label, pred in zip(*listed)]


def _listed_arrays(arrays: Any) -> Any:
    return [arrays] if isinstance(arrays, (NDArray, numpy.ndarray)) else arrays


class EvalMetric:
    """A sum over batches and its count; ``get()`` gives the name and the mean. ``output_names``, ``label_names``: which
    of those of ``update_dict`` count. ``options``: what a class was made with besides, for ``get_config``."""

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
        **options: Any,
    ) -> None:
        self.name: str = str(name)
        self.output_names, self.label_names = output_names, label_names
        options.pop("has_global_stats", None)  # they all have
        self._kwargs = options
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """Return what ``create`` makes the same metric of."""
        own = {"metric": type(self).__name__, "name": self.name}
        return {**self._kwargs, **own, "output_names": self.output_names, "label_names": self.label_names}

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in: lists of labels and of outputs."""
        for label, pred in pairs(labels, preds):
            self._add(*self._batch(label, pred))

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
        return _listed(*self.get())

    def get_global_name_value(self) -> list[tuple[str, float]]:
        """Return names with means since ``reset``."""
        return _listed(*self.get_global())


def _listed(name: Any, value: Any) -> list[tuple[str, float]]:
    return list(zip(name, value)) if isinstance(name, list) else [(name, value)]


class OwnMetric(EvalMetric):
    """The base of the metrics here, which take no options but those that they name."""

    def __init__(
        self, name: str, output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names)


@alias("composite")
@register
class CompositeEvalMetric(OwnMetric):
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

    def get_config(self) -> dict[str, Any]:
        """Return what ``create`` makes the same metrics of."""
        return {**super().get_config(), "metrics": [metric.get_config() for metric in self.metrics]}

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
        return _columns([pair for metric in self.metrics for pair in metric.get_name_value()])

    def get_global(self) -> tuple[list[str], list[float]]:
        """Return all names and all means since ``reset``."""
        return _columns([pair for metric in self.metrics for pair in metric.get_global_name_value()])


def _columns(rows: Sequence[tuple[str, float]]) -> tuple[list[str], list[float]]:
    return [name for name, _value in rows], [value for _name, value in rows]


@register
class CustomMetric(OwnMetric):
    """``feval(label, pred)`` of NumPy's arrays: a number, or a sum and a count."""

    def __init__(
        self, feval: Callable[[Array, Array], Any], name: str | None = None, allow_extra_outputs: bool = False,
        **options: Any,
    ) -> None:  # fmt: skip
        shown = getattr(feval, "__name__", "custom")
        super().__init__(name or (f"custom({shown})" if "<" in shown else shown), **options)
        self._feval, self._allow_extra = feval, allow_extra_outputs

    def get_config(self) -> dict[str, Any]:
        """Refuse: a function cannot be written down."""
        raise NotImplementedError("a metric of a function has no configuration: create it of the function again")

    def update(self, labels: Any, preds: Any) -> None:
        """Take a batch in."""
        labels, preds = _listed_arrays(labels), _listed_arrays(preds)
        if not self._allow_extra:
            check_label_shapes(labels, preds)
        for label, pred in zip(labels, preds):
            result = self._feval(as_array(label), as_array(pred))
            self._add(*(result if isinstance(result, tuple) else (result, 1)))


def np(
    numpy_feval: Callable[[Array, Array], Any], name: str | None = None, allow_extra_outputs: bool = False
) -> CustomMetric:
    """Return the metric of a function of labels and outputs, which are NumPy's arrays."""
    return CustomMetric(numpy_feval, name or numpy_feval.__name__, allow_extra_outputs)
