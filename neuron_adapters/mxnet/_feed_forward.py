"""``mx.model.FeedForward``, the module of MXNet before 0.9, as scripts of that time predict with it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet import io, metric, model
from neuron_adapters.mxnet._executor_cache import ExecutorCache, Models
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import current_context
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
        warnings.warn("mx.model.FeedForward is deprecated: use mx.mod.Module.", DeprecationWarning, stacklevel=2)
        self.symbol = symbol
        self.ctx = list(ctx) if isinstance(ctx, (list, tuple)) else [current_context() if ctx is None else ctx]
        self.num_epoch, self.epoch_size, self.begin_epoch = num_epoch, epoch_size, begin_epoch
        self.optimizer, self.initializer, self.kwargs = optimizer, initializer, dict(kwargs)
        self.numpy_batch_size = numpy_batch_size
        self.arg_params, self.aux_params = dict(arg_params or {}), dict(aux_params or {})
        self.allow_extra_params = allow_extra_params
        self._cache: ExecutorCache | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_cache": None}

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

    def _iterator(self, X: Any) -> Any:  # noqa: N803 - MXNet's name
        if isinstance(X, io.DataIter):
            return X
        if not isinstance(X, (np.ndarray, NDArray)):
            raise TypeError(f"X is an iterator of mx.io, an NDArray or NumPy's array, got {type(X).__name__}.")
        rows = X.asnumpy() if isinstance(X, NDArray) else X
        return io.NDArrayIter(rows, np.zeros(len(rows)), min(len(rows), self.numpy_batch_size))

    def _runs(self, data: Any, num_batch: int | None, reset: bool) -> Iterator[tuple[list[NDArray], Any]]:
        """Yield the outputs of each batch, which the next one overwrites, and the batch. Only the first context is
        used."""
        if reset:
            data.reset()
        described = [desc if isinstance(desc, io.DataDesc) else io.DataDesc(*desc) for desc in data.provide_data]
        signature = tuple((desc.name, tuple(desc.shape), np.dtype(desc.dtype)) for desc in described)
        executor = self._executors().executor(signature, {**self.arg_params, **self.aux_params})
        for batch in itertools.islice(data, num_batch):
            yield executor.forward(**dict(zip([desc.name for desc in described], batch.data))), batch

    def _executors(self) -> ExecutorCache:
        """The executors of the graph, one for each shape of the data: they keep its place between calls."""
        if self._cache is None:
            arguments, states = self.symbol.list_arguments(), self.symbol.list_auxiliary_states()
            for parameters, names in ((self.arg_params, arguments), (self.aux_params, states)):
                for name in set(parameters) - set(names):
                    if not self.allow_extra_params:
                        raise MXNetValueError(f"{name} is a parameter, and the graph has none of that name.")
                    del parameters[name]
            self._cache = ExecutorCache(self.symbol, self.ctx[0])
            remember(self, Models([self._cache]))
        return self._cache

    def predict(
        self,
        X: Any,  # noqa: N803 - MXNet's name
        num_batch: int | None = None,
        return_data: bool = False,
        reset: bool = True,
    ) -> Any:
        """Return the outputs for all of ``X``, an array or an iterator, as NumPy's array, or a list of them.
        ``return_data``: with the data and the labels."""
        seen: list[list[list[Any]]] = []
        for outputs, batch in self._runs(self._iterator(X), num_batch, reset):
            parts = (outputs, batch.data, batch.label or [])
            rows = len(batch.data[0]) - (batch.pad or 0)
            seen.append([[each[:rows].asnumpy() for each in part] for part in parts])
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
        """Return the value of a metric over an iterator with labels. Rows that fill up the last batch count, as in
        MXNet."""
        measured = metric.create(eval_metric)
        for number, (outputs, batch) in enumerate(self._runs(self._iterator(X), num_batch, reset)):
            measured.update(batch.label, outputs)
            call(batch_end_callback, BatchEndParam(0, number, measured, None))
        return measured.get()[1]


def _only(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays
