"""Iterators over files of numbers: of lines with commas, and those of MNIST."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import FormatError, MXNetError, MXNetValueError, reading
from neuron_adapters.mxnet.io.io import DataBatch, DataDesc, DataIter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["CSVIter", "MNISTIter", "MXDataIter"]

Array = np.ndarray[Any, Any]


class MXDataIter(DataIter):
    """Batches of rows in memory, with the methods of the iterators that MXNet has in its library."""

    def __init__(self, batch_size: int, data: Array, label: Array, data_name: str, label_name: str) -> None:
        super().__init__(batch_size)
        if batch_size < 1:
            raise MXNetValueError(f"batch_size is 1 at least, got {batch_size}.")
        self._rows, self._labels = data, label
        self.provide_data = [DataDesc(data_name, (batch_size, *data.shape[1:]), data.dtype.type)]
        self.provide_label = [DataDesc(label_name, (batch_size, *label.shape[1:]), label.dtype.type)]
        self._cursor = 0
        self._batch: DataBatch | None = None

    def _take(self) -> tuple[Array, int] | None:
        """Return the numbers of the next rows, and how many of them fill the batch up; None after the last."""
        raise NotImplementedError

    def reset(self) -> None:
        """To the beginning."""
        self._cursor = 0

    def iter_next(self) -> bool:
        """Advance to the next batch; return whether there is one."""
        taken = self._take()
        if taken is None:
            return False
        rows, pad = taken
        self._batch = DataBatch([NDArray(self._rows[rows])], [NDArray(self._labels[rows])], pad, self._index(rows))
        return True

    def _index(self, rows: Array) -> Array:
        return rows.astype(np.uint64)

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        if not self.iter_next():
            raise StopIteration
        return self._current()

    def _current(self) -> DataBatch:
        if self._batch is None:
            raise MXNetError("there is no batch yet: call next() or iter_next().")
        return self._batch

    def getdata(self) -> NDArray:
        """Return the rows of this batch."""
        return self._current().data[0]

    def getlabel(self) -> NDArray:
        """Return the labels of this batch."""
        return self._current().label[0]  # type: ignore[index]

    def getpad(self) -> int:
        """Return how many rows fill this batch up."""
        return int(self._current().pad or 0)

    def getindex(self) -> Array:
        """Return the numbers of the rows of this batch."""
        index: Array = self._current().index
        return index


class CSVIter(MXDataIter):
    """Rows of a file of numbers, each ``data_shape`` long, and labels of another, or zeros.

    ``round_batch``: the last batch is filled up from the beginning, and the next round begins behind that; otherwise
    what fills it up is of the batch before. Raises MXNetError for a file that holds something else.
    """

    def __init__(
        self,
        data_csv: str,
        data_shape: Sequence[int],
        batch_size: int,
        label_csv: str = "NULL",
        label_shape: Sequence[int] = (1,),
        round_batch: bool = True,
        prefetch_buffer: int = 4,  # noqa: ARG002 - and ctx: the file is read at once
        ctx: str = "cpu",  # noqa: ARG002
        dtype: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
    ) -> None:
        kind = np.dtype(np.float32 if dtype is None else dtype)
        if kind.name not in ("float32", "int32", "int64"):
            raise MXNetValueError(f"CSVIter: dtype is float32, int32 or int64, got {dtype!r}.")
        data = _numbers(data_csv, tuple(data_shape), kind)
        if label_csv == "NULL":
            label = np.zeros((len(data), *label_shape), kind)
        else:
            label = _numbers(label_csv, tuple(label_shape), kind)
        if len(label) != len(data):
            raise MXNetError(f"{label_csv} has {len(label)} lines, and {data_csv} has {len(data)}.")
        if label.shape[1:] == (1,):
            label = label.reshape(-1)
        super().__init__(batch_size, data, label, data_name, label_name)
        self._round, self._first = round_batch, 0

    def reset(self) -> None:
        """To the beginning; behind what the last batch was filled up with, where that was."""
        self._cursor, self._first = self._first, 0

    def _take(self) -> tuple[Array, int] | None:
        start, count = self._cursor, len(self._rows)
        if start >= count:
            return None
        rows = np.arange(start, start + self.batch_size)
        pad = max(0, start + self.batch_size - count)
        if pad and self._round:
            self._first = pad % count
            rows %= count
        elif pad:
            rows[-pad:] = np.maximum(rows[-pad:] - self.batch_size, 0)
        self._cursor = start + self.batch_size
        return rows, pad


class MNISTIter(MXDataIter):
    """Pictures of MNIST's files, from 0 to 1, and their numbers. Rows that do not fill a batch are left out.

    ``flat``: 784 numbers each instead of (1, 28, 28). ``shuffle``: in another order, the same in each round.
    """

    def __init__(
        self,
        image: str = "./train-images-idx3-ubyte",
        label: str = "./train-labels-idx1-ubyte",
        batch_size: int = 128,
        shuffle: bool = True,
        flat: bool = False,
        seed: int = 0,
        silent: bool = False,  # noqa: ARG002 - nothing is printed
        num_parts: int = 1,
        part_index: int = 0,
        prefetch_buffer: int = 4,  # noqa: ARG002 - and the others: the files are read at once
        ctx: str = "cpu",  # noqa: ARG002
        dtype: Any = None,  # noqa: ARG002
        data_name: str = "data",
        label_name: str = "softmax_label",
        input_shape: Sequence[int] | None = None,  # noqa: ARG002 - of MXNet's examples
        data_shape: Sequence[int] | None = None,  # noqa: ARG002
    ) -> None:
        pictures, numbers = _idx(image, 3), _idx(label, 1)
        if len(pictures) != len(numbers):
            raise FormatError(f"{image} has {len(pictures)} pictures, and {label} has {len(numbers)} numbers.")
        if not 0 <= part_index < num_parts:
            raise MXNetValueError(f"part_index must be from 0 to num_parts - 1, got {part_index} of {num_parts}.")
        size = len(pictures) // num_parts
        rows = np.arange(part_index * size, (part_index + 1) * size)
        if shuffle:
            np.random.default_rng(seed).shuffle(rows)
        scaled = pictures[rows].astype(np.float32) / np.float32(256)
        form = (-1, scaled[0].size) if flat else (-1, 1, *scaled.shape[1:])
        super().__init__(batch_size, scaled.reshape(form), numbers[rows].astype(np.float32), data_name, label_name)

    def _take(self) -> tuple[Array, int] | None:
        start = self._cursor
        if start + self.batch_size > len(self._rows):
            return None
        self._cursor = start + self.batch_size
        return np.arange(start, self._cursor), 0

    def _index(self, rows: Array) -> Array:
        return np.zeros(len(rows), np.uint64)  # as MXNet has it


def _numbers(path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    with reading(path), open(path, encoding="utf-8") as file:
        try:
            rows = np.loadtxt(file, dtype, delimiter=",", ndmin=2)
        except ValueError as error:
            raise MXNetError(f"{path} is not a file of numbers with commas between them: {error}") from error
    size = int(np.prod(shape))
    if rows.size and rows.shape[1] != size:
        raise MXNetError(f"{path} has {rows.shape[1]} numbers a line, and {shape} has {size}.")
    return rows.reshape(-1, *shape)


def _idx(path: str, axes: int) -> Array:
    with reading(path), gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        head, data = file.read(4 + 4 * axes), file.read()
    if len(head) < 4 + 4 * axes or struct.unpack(">i", head[:4])[0] != 0x800 + axes:
        raise FormatError(f"{path} is not a file of MNIST: its first number is another one.")
    shape = struct.unpack(f">{axes}i", head[4:])
    if len(data) != int(np.prod(shape)):
        raise FormatError(f"{path} is damaged: {shape} has {int(np.prod(shape))} bytes, and there are {len(data)}.")
    return np.frombuffer(data, np.uint8).reshape(shape)
