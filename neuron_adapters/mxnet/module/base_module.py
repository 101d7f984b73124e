"""What a Module does by its own ``forward`` and ``get_outputs``, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from neuron_adapters.mxnet import metric, model, ndarray
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.io import DataBatch, DataIter
from neuron_adapters.mxnet.ndarray import NDArray


def refuse(what: str) -> NoReturn:
    """Raise MXNetError: inference only."""
    raise MXNetError(f"{what}: this package infers only. Train with MXNet itself, and load the checkpoint here.")


def _refused(what: str) -> Callable[..., NoReturn]:
    def call(*_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: inference only."""
        refuse(what)

    return call


class BaseModule:
    """Prediction. A Module derives from it."""

    logger: Any
    binded: bool
    inputs_need_grad: bool
    optimizer_initialized: bool
    data_names: Any
    symbol: Any = None
    """The graph; None where there is none."""

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = self.inputs_need_grad = self.optimizer_initialized = False

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch."""
        raise NotImplementedError

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        raise NotImplementedError

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last run."""
        raise NotImplementedError

    def bind(
        self, data_shapes: Any, label_shapes: Any = None, for_training: bool = True, *more: Any, **how: Any
    ) -> None:
        """Take the shapes."""
        raise NotImplementedError

    def init_params(self, *args: Any, **options: Any) -> None:
        """Set the parameters, or make first values."""
        raise NotImplementedError

    def get_params(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters: arguments and auxiliary states."""
        raise NotImplementedError

    @property
    def data_shapes(self) -> Any:
        """The inputs, with their shapes."""
        raise NotImplementedError

    @property
    def label_shapes(self) -> Any:
        """The labels, with their shapes."""
        raise NotImplementedError

    @property
    def output_shapes(self) -> Any:
        """The outputs, with their shapes."""
        raise NotImplementedError

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:  # noqa: ARG002 - MXNet's signature
        """Return the states: none."""
        self._require_ready()
        return []

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states. Raises MXNetError for any: there are none."""
        self._require_ready()
        if states or value:
            raise MXNetError(f"{type(self).__name__} has no states.")

    def set_params(
        self,
        arg_params: Any,
        aux_params: Any,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters."""
        self.init_params(
            initializer=None, arg_params=arg_params, aux_params=aux_params, allow_missing=allow_missing,
            force_init=force_init, allow_extra=allow_extra,
        )  # fmt: skip

    def save_params(self, fname: str) -> None:
        """Write the parameters."""
        model.save_arrays(fname, *self.get_params())

    def load_params(self, fname: str) -> None:
        """Read the parameters."""
        self.set_params(*model.load_arrays(fname))

    def _require_bound(self) -> None:
        """Raise MXNetError before ``bind``."""
        if not self.binded:
            raise MXNetError("call bind() first.")

    def _require_ready(self) -> None:
        """Raise MXNetError where it cannot run yet."""
        self._require_bound()
        if not getattr(self, "params_initialized", False):
            raise MXNetError("the module has no parameters yet: init_params(), or set_params().")

    def iter_predict(
        self,
        eval_data: DataIter,
        num_batch: int | None = None,
        reset: bool = True,
        sparse_row_id_fn: Any = None,  # noqa: ARG002
    ) -> Iterator[tuple[list[NDArray], int, DataBatch]]:
        """Yield for each batch of ``eval_data``, or for the first ``num_batch``, the outputs without padding, its
        number, and the batch."""
        self._require_ready()
        if reset:
            eval_data.reset()
        for number, batch in enumerate(eval_data):
            if number == num_batch:
                break
            self.forward(batch, is_train=False)
            yield [output[: len(output) - (batch.pad or 0)] for output in self.get_outputs()], number, batch

    def predict(
        self,
        eval_data: DataIter | NDArray | np.ndarray[Any, Any],
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Any = None,  # noqa: ARG002
    ) -> Any:
        """The outputs for all of ``eval_data``, joined; the only output itself unless ``always_output_list``.

        Not ``merge_batches``: a list of outputs a batch. An array is one batch, and its first output the result.
        Raises ValueError for anything else.
        """
        self._require_ready()
        if isinstance(eval_data, (NDArray, np.ndarray)):
            self.forward(DataBatch([ndarray.array(eval_data)]), is_train=False)
            return self.get_outputs()[0]
        if not isinstance(eval_data, DataIter):
            raise MXNetValueError(f"eval_data must be an NDArray or a DataIter, got {type(eval_data).__name__}.")
        batches = [
            [output.copy() for output in outputs]
            for outputs, _number, _batch in self.iter_predict(eval_data, num_batch, reset)
        ]
        if not batches or not merge_batches:
            return batches
        joined = [ndarray.concatenate(list(parts)) for parts in zip(*batches)]
        return joined[0] if len(joined) == 1 and not always_output_list else joined

    # -- training -----------------------------------------------------------------------------------------------

    fit: Callable[..., NoReturn]
    backward: Callable[..., NoReturn]
    forward_backward: Callable[..., NoReturn]
    update: Callable[..., NoReturn]
    init_optimizer: Callable[..., NoReturn]
    fit, backward, forward_backward = _refused("fit()"), _refused("backward()"), _refused("forward_backward()")
    update, init_optimizer = _refused("update()"), _refused("init_optimizer()")
    get_input_grads: Callable[..., NoReturn] = _refused("get_input_grads()")
    borrow_optimizer: Callable[..., NoReturn] = _refused("borrow_optimizer()")
    load_optimizer_states: Callable[..., NoReturn] = _refused("load_optimizer_states()")
    save_optimizer_states: Callable[..., NoReturn] = _refused("save_optimizer_states()")

    def install_monitor(self, mon: Any) -> None:
        """Let a ``mx.mon.Monitor`` watch the executors, those for other shapes too."""
        raise NotImplementedError

    def prepare(self, data_batch: Any, sparse_row_id_fn: Any = None) -> None:
        """Do nothing: a batch needs no preparation."""

    def score(
        self,
        eval_data: DataIter,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        score_end_callback: Any = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Any = None,  # noqa: ARG002
    ) -> list[tuple[str, float]]:
        """Run all of ``eval_data``, or ``num_batch`` batches, and compare with the labels; names and means. Callbacks
        get an object with ``epoch``, ``nbatch``, ``eval_metric`` and ``locals``."""
        self._require_ready()
        if reset:
            eval_data.reset()
        measured = metric.create(eval_metric)
        measured.reset()
        count = 0
        for number, batch in enumerate(eval_data):
            if number == num_batch:
                break
            self.forward(batch, is_train=False)
            self.update_metric(measured, batch.label)
            count = number + 1
            call(batch_end_callback, BatchEndParam(epoch, number, measured, None))
        call(score_end_callback, BatchEndParam(epoch, count, measured, None))
        return measured.get_name_value()

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:  # noqa: ARG002
        """Take the outputs of the last run into a metric, with these labels."""
        names = getattr(self, "label_names", [])
        eval_metric.update_dict(dict(zip(names, labels or [])), dict(zip(self.output_names, self.get_outputs())))


class BatchEndParam(NamedTuple):
    """What callbacks get."""

    epoch: int
    nbatch: int
    eval_metric: Any
    locals: Any


def call(callbacks: Any, param: BatchEndParam) -> None:
    """Call a callback, a list of them, or none."""
    for callback in callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []:
        callback(param)


def raw(array: Any) -> np.ndarray[Any, Any]:
    """Return the memory of an NDArray, and anything else as NumPy's."""
    return array._array if isinstance(array, NDArray) else np.asarray(array)
