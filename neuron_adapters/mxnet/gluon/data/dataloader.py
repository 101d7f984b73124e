"""Batches of samples."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context, cpu_pinned
from neuron_adapters.mxnet.gluon.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["DataLoader", "default_batchify_fn"]


def default_batchify_fn(data: Sequence[Any]) -> Any:
    """Make one array of samples; of tuples a list of arrays."""
    if isinstance(data[0], NDArray):
        return NDArray(np.stack([sample.asnumpy() for sample in data]), data[0].context)
    if isinstance(data[0], tuple):
        return [default_batchify_fn(part) for part in zip(*data)]
    array = np.asarray(data)
    return ndarray.array(array, dtype=array.dtype)


def _labelled(batch: Any, context: Context) -> Any:
    """Return the same arrays, which say that they are of ``context``."""
    if isinstance(batch, NDArray):
        return batch.as_in_context(context)
    return [_labelled(part, context) for part in batch] if isinstance(batch, (list, tuple)) else batch


default_mp_batchify_fn = default_batchify_fn


class DataLoader:
    """The samples of ``dataset`` in batches, as often as it is iterated.

    ``num_workers``: threads that make batches in advance, ``prefetch`` of them, twice the workers by default; MXNet has
    processes. ``pin_memory``: arrays say that they are of ``cpu_pinned(pin_device_id)``. ``thread_pool``,
    ``timeout`` and ``auto_reload`` change nothing here. Raises ValueError, as MXNet does, for arguments that
    exclude each other.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        sampler: Sampler | None = None,
        last_batch: str | None = None,
        batch_sampler: Sampler | None = None,
        batchify_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        pin_device_id: int = 0,
        prefetch: int | None = None,
        thread_pool: bool = False,  # noqa: ARG002 - and the others: workers are threads
        timeout: int = 120,  # noqa: ARG002
        auto_reload: bool = False,  # noqa: ARG002
    ) -> None:
        if batch_sampler is not None:
            if batch_size is not None or shuffle or sampler is not None or last_batch is not None:
                raise MXNetValueError(
                    "batch_size, shuffle, sampler and last_batch must not be specified if batch_sampler is specified."
                )
        elif batch_size is None:
            raise MXNetValueError("batch_size must be specified unless batch_sampler is specified")
        elif sampler is not None and shuffle:
            raise MXNetValueError("shuffle must not be specified if sampler is specified")
        else:
            order = sampler or (RandomSampler if shuffle else SequentialSampler)(len(dataset))
            batch_sampler = BatchSampler(order, batch_size, last_batch or "keep")
        self._dataset = dataset
        self._batch_sampler = batch_sampler
        self._batchify = batchify_fn or default_batchify_fn
        self._workers = max(0, num_workers)
        self._context = cpu_pinned(pin_device_id) if pin_memory else None
        self._ahead = max(1, 2 * self._workers if prefetch is None else prefetch)

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def clean(self) -> None:
        """Do nothing: threads end with the iteration that they are for."""

    def refresh(self) -> None:
        """Do nothing: a new iteration begins at the beginning."""

    def __iter__(self) -> Iterator[Any]:
        if not self._workers:
            return map(self._batch, self._batch_sampler)
        return self._prefetched()

    def _batch(self, places: Sequence[Any]) -> Any:
        batch = self._batchify([self._dataset[place] for place in places])
        return batch if self._context is None else _labelled(batch, self._context)

    def _prefetched(self) -> Iterator[Any]:
        batches = iter(self._batch_sampler)
        with ThreadPoolExecutor(self._workers, "DataLoader") as pool:
            waiting: collections.deque[Future[Any]] = collections.deque(
                pool.submit(self._batch, places) for places in itertools.islice(batches, self._ahead)
            )
            try:
                while waiting:
                    batch = waiting.popleft().result()
                    waiting.extend(pool.submit(self._batch, places) for places in itertools.islice(batches, 1))
                    yield batch
            finally:
                for future in waiting:
                    future.cancel()
