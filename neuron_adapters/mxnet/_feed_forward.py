"""``mx.model.FeedForward``, the module of MXNet before 0.9, as scripts of that time predict with it."""

from __future__ import annotations

import warnings
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet import io, metric, model
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import current_context
from neuron_adapters.mxnet.module import Module
from neuron_adapters.mxnet.module.base_module import BatchEndParam, call
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["FeedForward"]


class FeedForward:
    """A graph with its parameters: ``predict`` and ``score``. ``numpy_batch_size``: of arrays. The other arguments are
    of training."""

    def __init__(
        self,
        symbol: Any,
        ctx: Any = None,
        num_epoch: int | None = None,
        epoch_size: int | None = None,
        optimizer: Any = "sgd",
        initializer: Any = None,
        numpy_batch_size: int = 128,
        arg_params: Any = None,
        aux_params: Any = None,
        allow_extra_params: bool = False,
        begin_epoch: int = 0,
        **kwargs: Any,
    ) -> None:
        warnings.warn("mxnet.model.FeedForward has been deprecated. Please use mxnet.mod.Module instead.", stacklevel=2)
        self.symbol, self.ctx = symbol, current_context() if ctx is None else ctx
        self.num_epoch, self.epoch_size, self.begin_epoch = num_epoch, epoch_size, begin_epoch
        self.optimizer, self.initializer, self.kwargs = optimizer, initializer, dict(kwargs)
        self.numpy_batch_size = numpy_batch_size
        self.arg_params, self.aux_params = dict(arg_params or {}), dict(aux_params or {})
        self.allow_extra_params = allow_extra_params

    @staticmethod
    def load(prefix: str, epoch: int, ctx: Any = None, **kwargs: Any) -> FeedForward:
        """Load a checkpoint."""
        symbol, arg_params, aux_params = model.load_checkpoint(prefix, epoch)
        return FeedForward(symbol, ctx=ctx, arg_params=arg_params, aux_params=aux_params, begin_epoch=epoch, **kwargs)

    def save(self, prefix: str, epoch: int | None = None, remove_amp_cast: bool = True) -> None:
        """Write a checkpoint."""
        number = self.num_epoch if epoch is None else epoch
        if number is None:
            raise MXNetValueError("save() takes the epoch, or num_epoch says it.")
        model.save_checkpoint(prefix, number, self.symbol, self.arg_params, self.aux_params, remove_amp_cast)

    def fit(self, *_args: Any, **_options: Any) -> NoReturn:
        """Refuse: there is no training here."""
        raise MXNetError(
            "FeedForward.fit(): this package infers only. Train with MXNet itself, and load what it saves."
        )

    @staticmethod
    def create(*_args: Any, **_options: Any) -> NoReturn:
        """Refuse: it trains."""
        raise MXNetError("FeedForward.create(): this package infers only. Train with MXNet itself, and load() it here.")

    def _iterator(self, X: Any, y: Any = None) -> Any:  # noqa: N803 - MXNet's name
        if not isinstance(X, (np.ndarray, NDArray)):
            return X
        rows = X.asnumpy() if isinstance(X, NDArray) else X
        return io.NDArrayIter(rows, y, min(len(rows), self.numpy_batch_size), shuffle=False, last_batch_handle="pad")

    def _module(self, data: Any) -> Module:
        arguments = set(self.symbol.list_arguments())
        labels = [desc for desc in data.provide_label or [] if desc[0] in arguments]
        module = Module(
            self.symbol, [desc[0] for desc in data.provide_data], [desc[0] for desc in labels], context=self.ctx
        )
        module.bind(data.provide_data, labels or None, for_training=False)
        module.set_params(self.arg_params, self.aux_params, allow_extra=self.allow_extra_params)
        return module

    def predict(
        self,
        X: Any,  # noqa: N803 - MXNet's name
        num_batch: int | None = None,
        return_data: bool = False,
        reset: bool = True,
    ) -> Any:
        """Return the outputs for all of ``X``, an array or an iterator, as NumPy's array, or a list of them.
        ``return_data``: with the data and the labels."""
        data = self._iterator(X)
        module = self._module(data)
        seen: list[tuple[list[Any], list[Any], list[Any]]] = []
        for outputs, _number, batch in module.iter_predict(data, num_batch, reset):
            rows = len(batch.data[0]) - (batch.pad or 0)
            parts = (outputs, [each[:rows] for each in batch.data], [each[:rows] for each in batch.label or []])
            seen.append(tuple([each.asnumpy() for each in part] for part in parts))  # type: ignore[arg-type]
        joined = [_only([np.concatenate(each) for each in zip(*parts)]) for parts in zip(*seen)]
        return tuple(joined) if return_data else joined[0]

    def score(
        self,
        X: Any,  # noqa: N803 - MXNet's name
        eval_metric: Any = "acc",
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        reset: bool = True,
    ) -> Any:
        """Return the value of a metric over an iterator with labels."""
        data = self._iterator(X)
        measured = metric.create(eval_metric)
        for outputs, number, batch in self._module(data).iter_predict(data, num_batch, reset):
            rows = len(batch.data[0]) - (batch.pad or 0)
            measured.update([each[:rows] for each in batch.label or []], outputs)
            call(batch_end_callback, BatchEndParam(0, number, measured, None))
        return measured.get()[1]


def _only(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays
