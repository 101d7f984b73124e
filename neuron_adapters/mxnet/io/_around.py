"""Iterators around iterators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.io.io import DataBatch, DataDesc, DataIter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["DataLoaderIter", "PrefetchingIter", "ResizeIter"]


class _Current(DataIter):
    """Shows the arrays of the batch that ``iter_next`` found."""

    current_batch: DataBatch | None = None

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        raise NotImplementedError

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        if not self.iter_next() or self.current_batch is None:
            raise StopIteration
        return self.current_batch

    def getdata(self) -> Any:
        """Return the arrays of this batch."""
        return self.current_batch.data if self.current_batch else None

    def getlabel(self) -> Any:
        """Return the labels of this batch."""
        return self.current_batch.label if self.current_batch else None

    def getindex(self) -> Any:
        """Return the numbers of the samples of this batch."""
        return self.current_batch.index if self.current_batch else None

    def getpad(self) -> Any:
        """Return how many rows fill this batch up."""
        return self.current_batch.pad if self.current_batch else None


class ResizeIter(_Current):
    """``size`` batches of another iterator a round: from the beginning again where it has fewer. ``reset_internal``:
    a new round begins at its beginning."""

    def __init__(self, data_iter: Any, size: int, reset_internal: bool = True) -> None:
        super().__init__(data_iter.batch_size)
        self.data_iter, self.size, self.reset_internal = data_iter, size, reset_internal
        self.provide_data, self.provide_label = data_iter.provide_data, data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key
        self.cur = 0

    def reset(self) -> None:
        """To the beginning of a round."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True


class PrefetchingIter(_Current):
    """The batches of one or several iterators side by side, each made in advance by a thread of its own.
    ``rename_data``, ``rename_label``: other names, a dict for each iterator."""

    def __init__(
        self,
        iters: Any,
        rename_data: Sequence[Mapping[str, str]] | None = None,
        rename_label: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        self.iters: list[Any] = list(iters) if isinstance(iters, (list, tuple)) else [iters]
        if not self.iters:
            raise MXNetValueError("PrefetchingIter() takes at least one iterator.")
        self.n_iter = len(self.iters)
        self.rename_data, self.rename_label = rename_data, rename_label
        super().__init__(self.provide_data[0].shape[0])
        self._pool = ThreadPoolExecutor(self.n_iter, "PrefetchingIter")
        self._coming: list[Future[DataBatch | None]] = []
        self._ask()

    def _described(self, what: str, renames: Sequence[Mapping[str, str]] | None) -> list[DataDesc]:
        described = []
        for place, each in enumerate(self.iters):
            names = {} if renames is None else renames[place]
            for entry in getattr(each, what):
                desc = entry if isinstance(entry, DataDesc) else DataDesc(*entry)
                described.append(DataDesc(names.get(desc.name, desc.name), desc.shape, desc.dtype, desc.layout))
        return described

    @property
    def provide_data(self) -> list[DataDesc]:
        """What each batch has."""
        return self._described("provide_data", self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """What its labels are."""
        return self._described("provide_label", self.rename_label)

    def _ask(self) -> None:
        self._coming = [self._pool.submit(_next, each) for each in self.iters]

    def reset(self) -> None:
        """To the beginning."""
        for future in self._coming:
            future.exception()
        for each in self.iters:
            each.reset()
        self._ask()

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one. Raises MXNetValueError where one iterator ends before
        another."""
        batches = [future.result() for future in self._coming]
        ended = [batch is None for batch in batches]
        if any(ended):
            if not all(ended):
                raise MXNetValueError("Number of entry mismatches between iterators: one has fewer batches.")
            return False
        parts = [batch for batch in batches if batch is not None]
        if len({batch.pad for batch in parts}) > 1:
            raise MXNetValueError("Different pad number in the batches of several iterators.")
        self.current_batch = DataBatch(
            [array for batch in parts for array in batch.data],
            [array for batch in parts for array in batch.label or ()],
            parts[0].pad,
            parts[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        self._ask()
        return True


def _next(iterator: Any) -> DataBatch | None:
    try:
        batch: DataBatch = iterator.next()
    except StopIteration:
        return None
    return batch


class DataLoaderIter(_Current):
    """The batches of a ``gluon.data.DataLoader`` of data and label, as ``dtype``. Zeros fill up the last batch to the
    size of the first."""

    def __init__(
        self, loader: Any, data_name: str = "data", label_name: str = "softmax_label", dtype: Any = "float32"
    ) -> None:
        data, label = next(iter(loader))
        super().__init__(data.shape[0])
        self.dtype = dtype
        self.provide_data = [DataDesc(data_name, data.shape, dtype)]
        self.provide_label = [DataDesc(label_name, label.shape, dtype)]
        self._loader, self._batches = loader, iter(loader)

    def reset(self) -> None:
        """To the first batch."""
        self._batches = iter(self._loader)

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        self.current_batch = None
        for data, label in self._batches:
            pad = self.batch_size - data.shape[0]
            self.current_batch = DataBatch([self._filled(data)], [self._filled(label)], pad)
            return True
        return False

    def _filled(self, array: NDArray) -> NDArray:
        result = ndarray.zeros((self.batch_size, *array.shape[1:]), dtype=self.dtype)
        result[: array.shape[0]] = array.astype(self.dtype)
        return result
