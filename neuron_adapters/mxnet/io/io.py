"""The base of iterators, and the one over arrays in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from neuron_adapters.mxnet import ndarray as nd
from neuron_adapters.mxnet._training import Elsewhere, names_of
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["DataBatch", "DataDesc", "DataIter", "NDArrayIter"]

__getattr__: Elsewhere = names_of("neuron_adapters.mxnet.io", "mx.io.io")

Source = NDArray | np.ndarray[Any, Any]
Sources = Source | Sequence[Source] | Mapping[str, Source] | None


class _Named(NamedTuple):
    name: str
    shape: tuple[int, ...]


class DataDesc(_Named):
    """An input's name and shape, which it unpacks to, with dtype and layout."""

    dtype: Any
    layout: str | None

    def __new__(cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str | None = "NCHW") -> DataDesc:  # noqa: PYI034
        """``layout``: a letter an axis; N is the batch."""
        desc = super().__new__(cls, name, tuple(shape))
        desc.dtype, desc.layout = dtype, layout
        return desc

    def __reduce__(self) -> tuple[Any, ...]:
        return (DataDesc, (self.name, self.shape, self.dtype, self.layout))

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    @staticmethod
    def get_list(
        shapes: Sequence[tuple[str, Sequence[int]]], types: Sequence[tuple[str, Any]] | None
    ) -> list[DataDesc]:
        """Return one for each name and shape, with the dtypes of ``types``, by name."""
        dtypes = dict(types or [])
        return [DataDesc(name, shape, dtypes[name]) if types else DataDesc(name, shape) for name, shape in shapes]

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Return the batch axis of ``layout``: 0 where ``layout`` is None, -1 where it has no N."""
        return 0 if layout is None else layout.find("N")


class DataBatch:
    """Arrays for one run. ``pad``: how many of the last rows only fill it up."""

    data: Sequence[NDArray]
    label: Sequence[NDArray] | None
    pad: int | None
    index: Any
    provide_data: Sequence[DataDesc] | None
    provide_label: Sequence[DataDesc] | None

    def __init__(
        self,
        data: Sequence[NDArray],
        label: Sequence[NDArray] | None = None,
        pad: int | None = None,
        index: Any = None,
        bucket_key: Any = None,
        provide_data: Sequence[DataDesc] | None = None,
        provide_label: Sequence[DataDesc] | None = None,
    ) -> None:
        for what, arrays in (("data", data), ("label", label or [])):
            if not isinstance(arrays, (list, tuple)):
                raise TypeError(f"a batch's {what} is a list of NDArrays, got {type(arrays).__name__}")
        self.data, self.label, self.pad, self.index = data, label, pad, index
        self.bucket_key = bucket_key
        self.provide_data, self.provide_label = provide_data, provide_label

    def __str__(self) -> str:
        shapes = [array.shape for array in self.data]
        labels = None if self.label is None else [array.shape for array in self.label]
        return f"{type(self).__name__}: data shapes: {shapes} label shapes: {labels}"


class DataIter:
    """An iterator of batches. Others derive from it: ``next()``, ``reset()``, ``provide_data``, ``provide_label``."""

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[DataBatch]:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())

    def reset(self) -> None:
        """To the beginning."""

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        raise NotImplementedError(f"{type(self).__name__}.iter_next(), or next()")

    def getdata(self) -> Any:
        """Return the arrays of this batch."""
        raise NotImplementedError(f"{type(self).__name__}.getdata()")

    def getlabel(self) -> Any:
        """Return the labels of this batch."""
        raise NotImplementedError(f"{type(self).__name__}.getlabel()")

    def getindex(self) -> Any:
        """Return the numbers of this batch's samples; None where they are not kept."""
        return None

    def getpad(self) -> Any:
        """Return how many rows pad this batch."""
        return 0


class NDArrayIter(DataIter):
    """Batches of arrays in memory: one, a list (``_0_data``, ``_1_data``), or by name. Always float32.

    ``last_batch_handle``: what becomes of rows left over at the end: "pad" fills up from the beginning, "discard" drops
    them, "roll_over" puts them first in the next round. Raises MXNetValueError, a ValueError.
    """

    _HANDLES: ClassVar = ("pad", "discard", "roll_over")
    last_batch_handle: str
    shuffle: bool

    def __init__(
        self,
        data: Sources,
        label: Sources = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
    ) -> None:
        super().__init__(batch_size)
        self.data: list[tuple[str, np.ndarray[Any, Any]]] = _named(data, data_name)
        self.label: list[tuple[str, np.ndarray[Any, Any]]] = _named(label, label_name)
        if not self.data:
            raise MXNetValueError("NDArrayIter() takes at least one array.")
        self.num_data: int = len(self.data[0][1])
        lengths = {name: len(array) for name, array in self.data + self.label}
        if set(lengths.values()) != {self.num_data}:
            raise MXNetValueError(f"all arrays must have the same number of rows, got {lengths}.")
        if last_batch_handle not in self._HANDLES:
            raise MXNetValueError(f"last_batch_handle must be one of {self._HANDLES}, got {last_batch_handle!r}.")
        if batch_size < 1 or not self.num_data:
            raise MXNetValueError(f"there must be rows and a batch of at least one, got {batch_size} of {lengths}.")
        self.last_batch_handle, self.shuffle = last_batch_handle, shuffle
        self.cursor: int = 0
        self._order = np.arange(self.num_data)
        self._left: np.ndarray[Any, Any] = self._order[:0]
        self.hard_reset()

    @property
    def idx(self) -> np.ndarray[Any, Any]:
        """The rows in the order of this round."""
        return self._order

    @property
    def provide_data(self) -> list[DataDesc]:
        """What each batch has."""
        return self._described(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """What its labels are."""
        return self._described(self.label)

    def hard_reset(self) -> None:
        """Start again, without the rows left over."""
        self._left = self._order[:0]
        self._begin()

    def reset(self) -> None:
        """To the beginning; "roll_over", where it came to the end, begins with what was left over."""
        left = self._rows[self.cursor + self.batch_size :]
        rolls = self.last_batch_handle == "roll_over" and len(left) < self.batch_size
        self._left = left if rolls else self._order[:0]
        self._begin()

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        following = self.cursor + self.batch_size
        needed = 1 if self.last_batch_handle == "pad" else self.batch_size
        if following + needed > len(self._rows):
            return False
        self.cursor = following
        return True

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad())

    def getdata(self) -> list[NDArray]:
        """Return the arrays of this batch."""
        return self._batch(self.data)

    def getlabel(self) -> list[NDArray]:
        """Return the labels of this batch."""
        return self._batch(self.label)

    def getindex(self) -> None:
        """Return None: indices are not kept."""

    def getpad(self) -> int:
        """Return how many rows pad this batch."""
        return max(0, int(self.cursor) + self.batch_size - len(self._rows))

    def _begin(self) -> None:
        if self.shuffle:
            self._order = np.random.permutation(self.num_data)  # noqa: NPY002 - numpy.random.seed() decides, as in MXNet
        self._rows = np.concatenate([self._left, self._order])
        self.cursor = -self.batch_size

    def _batch(self, arrays: Sequence[tuple[str, np.ndarray[Any, Any]]]) -> list[NDArray]:
        rows = self._rows[np.arange(self.cursor, self.cursor + self.batch_size) % len(self._rows)]
        return [nd.array(array[rows]) for _name, array in arrays]

    def _described(self, arrays: Sequence[tuple[str, np.ndarray[Any, Any]]]) -> list[DataDesc]:
        return [DataDesc(name, (self.batch_size, *array.shape[1:])) for name, array in arrays]


def _named(sources: Sources, default: str) -> list[tuple[str, np.ndarray[Any, Any]]]:
    if sources is None:
        return []
    if isinstance(sources, (NDArray, np.ndarray)):
        pairs: list[tuple[str, Any]] = [(default, sources)]
    elif isinstance(sources, Mapping):
        pairs = list(sources.items())
    elif isinstance(sources, (list, tuple)):
        only = len(sources) == 1
        pairs = [(default if only else f"_{at}_{default}", source) for at, source in enumerate(sources)]
    else:
        raise TypeError(f"takes an array, a list or a dict of arrays, got {type(sources).__name__}")
    for name, source in pairs:
        if not isinstance(source, (NDArray, np.ndarray)):
            raise TypeError(f"{name} must be an NDArray or NumPy's, got {type(source).__name__}")
    return [(name, np.asarray(source).astype(np.float32)) for name, source in pairs]
