"""``PythonModule``: a module that a script writes in Python."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.module.base_module import BaseModule

__all__ = ["PythonLossModule", "PythonModule"]

Shapes = list[tuple[str, tuple[int, ...]]]


class PythonModule(BaseModule):
    """The base: without parameters. What derives from it says ``forward``, ``get_outputs`` and
    ``_compute_output_shapes``."""

    for_training: bool
    inputs_need_grad: bool

    def __init__(
        self,
        data_names: Sequence[str],
        label_names: Sequence[str] | None,
        output_names: Sequence[str],
        logger: Any = logging,
    ) -> None:
        super().__init__(logger)
        self._data_names, self._output_names = list(data_names), list(output_names)
        self._label_names = None if label_names is None else list(label_names)
        self._data_shapes: Any = None
        self._label_shapes: Any = None
        self._output_shapes: Any = None
        self.params_initialized = True

    @property
    def data_names(self) -> list[str]:
        """The names of the inputs."""
        return self._data_names

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> Any:
        """The inputs, with their shapes."""
        return self._data_shapes

    @property
    def label_shapes(self) -> Any:
        """The labels, with their shapes."""
        return self._label_shapes

    @property
    def output_shapes(self) -> Any:
        """The outputs, with their shapes."""
        return self._output_shapes

    def get_params(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return no parameters."""
        return {}, {}

    def init_params(self, *_args: Any, **_options: Any) -> None:
        """Do nothing: there are no parameters."""

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Take the outputs into a metric, where labels are bound."""
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise MXNetError("PythonModule does not support presliced labels")
        eval_metric.update(labels, self.get_outputs())

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,  # noqa: ARG002 - MXNet's signature
        grad_req: Any = "write",  # noqa: ARG002
    ) -> None:
        """Take the shapes. Raises MXNetError for other names than the module has."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        names = [desc[0] for desc in data_shapes]
        labels = None if label_shapes is None else [desc[0] for desc in label_shapes]
        if names != self._data_names or (labels is not None and labels != self._label_names):
            raise MXNetError(f"the module takes {self._data_names} and {self._label_names}, got {names} and {labels}.")
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self._data_shapes, self._label_shapes = data_shapes, label_shapes
        self._output_shapes = self._compute_output_shapes()
        self.binded = True

    def _compute_output_shapes(self) -> Shapes:
        raise NotImplementedError(f"{type(self).__name__}._compute_output_shapes()")


class PythonLossModule(PythonModule):
    """A loss at the end of other modules: at inference its outputs are its inputs. ``grad_func`` is of training."""

    def __init__(
        self,
        name: str = "pyloss",
        data_names: Sequence[str] = ("data",),
        label_names: Sequence[str] = ("softmax_label",),
        logger: Any = logging,
        grad_func: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(data_names, label_names, [f"{name}_output"], logger)
        if len(self._data_names) != 1 or self._label_names is None or len(self._label_names) != 1:
            raise MXNetError(f"a PythonLossModule has one input and one label, got {data_names} and {label_names}.")
        if grad_func is not None and not callable(grad_func):
            raise MXNetError(f"grad_func is a function, got {grad_func!r}.")
        self._name = name
        self._scores: Any = None
        self._labels: Any = None

    def _compute_output_shapes(self) -> Shapes:
        return [(f"{self._name}_output", self._data_shapes[0][1])]

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Keep the scores, and the labels where it trains."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:  # noqa: ARG002 - there is one context
        """Return the scores."""
        return [self._scores]
