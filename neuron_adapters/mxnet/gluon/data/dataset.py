"""Samples by number."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet import recordio
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.gluon.data.sampler import FilterSampler, Sampler, SequentialSampler
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["ArrayDataset", "Dataset", "RecordFileDataset", "SimpleDataset"]


class Dataset:
    """Samples by number. Others derive from it: ``__getitem__`` and ``__len__``."""

    def __getitem__(self, idx: Any) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def transform(self, fn: Callable[..., Any], lazy: bool = True) -> Dataset:
        """Return these samples as ``fn`` makes them, which gets the parts of a tuple one by one; ``lazy``: when they
        are asked for."""
        transformed = _Transformed(self, fn)
        return transformed if lazy else SimpleDataset([transformed[place] for place in range(len(self))])

    def transform_first(self, fn: Callable[[Any], Any], lazy: bool = True) -> Dataset:
        """Return these samples with their first part as ``fn`` makes it."""
        return self.transform(_First(fn), lazy)

    def filter(self, fn: Callable[[Any], bool]) -> Dataset:
        """Return the samples of which ``fn`` says True."""
        return _Chosen(self, FilterSampler(fn, self))  # type: ignore[arg-type]

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Return the part ``index`` of ``num_shards``; the first ones have what is left over. Raises ValueError."""
        if not 0 <= index < num_shards:
            raise MXNetValueError(f"index must be from 0 to num_shards - 1, got {index} of {num_shards}.")
        size, rest = divmod(len(self), num_shards)
        start = size * index + min(index, rest)
        return _Chosen(self, SequentialSampler(size + (index < rest), start))

    def take(self, count: int | None) -> Dataset:
        """Return the first ``count`` samples, all where there are no more, or for None."""
        return _Chosen(self, SequentialSampler(len(self) if count is None else min(count, len(self))))

    def sample(self, sampler: Sampler) -> Dataset:
        """Return the samples that ``sampler`` takes."""
        if not isinstance(sampler, Sampler):
            raise TypeError(f"sample() takes a gluon.data.Sampler, got {type(sampler).__name__}")
        return _Chosen(self, sampler)


class SimpleDataset(Dataset):
    """Samples of a list, or of what is indexed like one."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getitem__(self, idx: Any) -> Any:
        return self._data[idx]

    def __len__(self) -> int:
        return len(self._data)


class ArrayDataset(Dataset):
    """Tuples of samples, one of each of several arrays, lists or datasets of one length."""

    def __init__(self, *args: Any) -> None:
        if not args:
            raise MXNetValueError("ArrayDataset() takes at least one array.")
        lengths = [len(data) for data in args]
        if len(set(lengths)) > 1:
            raise MXNetValueError(f"All arrays must have the same length, got {lengths}.")
        # Labels are numbers then, not arrays of one number.
        self._data = [data.asnumpy() if isinstance(data, NDArray) and len(data.shape) == 1 else data for data in args]

    def __getitem__(self, idx: Any) -> Any:
        return self._data[0][idx] if len(self._data) == 1 else tuple(data[idx] for data in self._data)

    def __len__(self) -> int:
        return len(self._data[0])


class RecordFileDataset(Dataset):
    """The records of a file as bytes; the file of their places lies beside it, with the ending ``.idx``."""

    def __init__(self, filename: str) -> None:
        self.idx_file: str = os.path.splitext(filename)[0] + ".idx"
        self.filename = filename
        self._record = recordio.MXIndexedRecordIO(self.idx_file, filename, "r")

    def __getitem__(self, idx: Any) -> Any:
        return self._record.read_idx(self._record.keys[idx])

    def __len__(self) -> int:
        return len(self._record.keys)


class _Transformed(Dataset):
    def __init__(self, data: Dataset, fn: Callable[..., Any]) -> None:
        self._data, self._fn = data, fn

    def __getitem__(self, idx: Any) -> Any:
        item = self._data[idx]
        return self._fn(*item) if isinstance(item, tuple) else self._fn(item)

    def __len__(self) -> int:
        return len(self._data)


class _First:
    """A class, so that it can be pickled."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def __call__(self, x: Any, *others: Any) -> Any:
        return (self._fn(x), *others) if others else self._fn(x)


class _Chosen(Dataset):
    def __init__(self, data: Dataset, sampler: Sampler) -> None:
        self._data, self._indices = data, list(sampler)

    def __getitem__(self, idx: Any) -> Any:
        return self._data[self._indices[idx]]

    def __len__(self) -> int:
        return len(self._indices)
