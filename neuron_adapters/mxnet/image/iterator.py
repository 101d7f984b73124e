"""``mx.image.ImageIter``: batches of pictures, from a file of records or from a list of files."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import recordio
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError, reading
from neuron_adapters.mxnet.image.augment import Augmenter, CreateAugmenter
from neuron_adapters.mxnet.image.image import imdecode
from neuron_adapters.mxnet.io import DataBatch, DataIter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["ImageIter"]

Array = np.ndarray[Any, Any]
_HANDLES = ("pad", "discard", "roll_over")


class ImageIter(DataIter):
    """Batches of pictures (batch, 3, height, width), float32, and of their labels.

    The pictures are those of ``path_imgrec``, a file of records, with ``path_imgidx`` in the order of that file; or of
    a list: ``path_imglist``, lines of a number, labels and a file below ``path_root``, or ``imglist``, labels and a
    file each. ``kwargs``: as ``CreateAugmenter`` takes them. ``last_batch_handle``: what becomes of the rest: "pad" it
    from the beginning, "discard" it, or "roll_over": it comes first in the next round.

    Raises ValueError for arguments that do not fit together, MXNetError for a picture that cannot be read.
    """

    data_shape: tuple[int, ...]
    provide_data: list[tuple[str, tuple[int, ...]]]
    imgrec: recordio.MXRecordIO | None
    imglist: dict[Any, tuple[Array, str]] | None
    auglist: Any
    provide_label: list[tuple[str, tuple[int, ...]]]
    path_root: str | None
    shuffle: bool
    label_width: int
    cur: int

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        label_width: int = 1,
        path_imgrec: str | None = None,
        path_imglist: str | None = None,
        path_root: str | None = None,
        path_imgidx: str | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[Augmenter] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size)
        self.data_shape = tuple(data_shape)
        self.check_data_shape(data_shape)
        if last_batch_handle not in _HANDLES:
            raise MXNetValueError(f"last_batch_handle must be one of {_HANDLES}, got {last_batch_handle!r}.")
        if not 0 <= part_index < num_parts:
            raise MXNetValueError(f"part_index must be from 0 to num_parts - 1, got {part_index} of {num_parts}.")
        self.imgrec, keys = _records(path_imgrec, path_imgidx)
        self.imglist = _listed(path_imglist, imglist, dtype)
        if self.imgrec is None and self.imglist is None:
            raise MXNetValueError("ImageIter() takes path_imgrec, path_imglist or imglist.")
        if self.imgrec is not None and keys is None and (shuffle or num_parts > 1):
            raise MXNetValueError(
                "ImageIter() shuffles and divides a file of records by path_imgidx, which is missing."
            )
        self.seq: list[Any] | None = list(self.imglist or ()) if self.imgrec is None else keys
        if num_parts > 1 and self.seq is not None:
            size = len(self.seq) // num_parts
            self.seq = self.seq[part_index * size : (part_index + 1) * size]
        self.path_root, self.shuffle, self.label_width = path_root, shuffle, label_width
        self.last_batch_handle = last_batch_handle
        self.auglist = CreateAugmenter(self.data_shape, **kwargs) if aug_list is None else aug_list
        self.provide_data = [(data_name, (batch_size, *self.data_shape))]
        self.provide_label = [(label_name, (batch_size, label_width) if label_width > 1 else (batch_size,))]
        self.cur = 0
        self._left: list[tuple[Any, Array]] = []
        self._ended = False
        self.hard_reset()

    def reset(self) -> None:
        """To the beginning; "roll_over" begins with what was left over."""
        if not (self.last_batch_handle == "roll_over" and self._left):
            self.hard_reset()
        else:
            self._begin()

    def hard_reset(self) -> None:
        """To the beginning, without what was left over."""
        self._left = []
        self._begin()

    def _begin(self) -> None:
        self.cur, self._ended = 0, False
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        if self.imgrec is not None:
            self.imgrec.reset()

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        rows, self._left = self._left, []
        # MXNet says of a batch that begins with what was left over how many rows it had to read for it.
        pad = self.batch_size - len(rows) if rows else 0
        self._fill(rows)
        if len(rows) < self.batch_size:
            pad = self.batch_size - len(rows)
            self._ended = True
            if not rows or self.last_batch_handle == "discard":
                raise StopIteration
            if self.last_batch_handle == "roll_over":
                self._left = rows
                raise StopIteration
            self._rewind()
            self._fill(rows)
            self._ended = True
        data = np.zeros((self.batch_size, *self.data_shape), np.float32)
        label = np.zeros(self.provide_label[0][1], np.float32)
        for place, (numbers, pixels) in enumerate(rows):
            data[place], label[place] = pixels, self._filled(numbers, label.shape[1:])
        return DataBatch([NDArray(data)], [NDArray(label)], pad=pad)

    def _fill(self, rows: list[tuple[Any, Array]]) -> None:
        while len(rows) < self.batch_size and not self._ended:
            try:
                label, data = self.next_sample()
            except StopIteration:
                return
            row = self._row(label, data)
            if row is not None:
                rows.append(row)

    def _row(self, label: Any, data: bytes) -> tuple[Any, Array] | None:
        """Return the label and the pixels of a picture; None for one that is left out."""
        picture = self.imdecode(data)
        self.check_valid_image([picture])
        return label, self.postprocess_data(self.augmentation_transform(picture)).asnumpy()

    def _filled(self, label: Any, shape: tuple[int, ...]) -> Array:
        """Return the label of a picture in the form that a batch has."""
        return np.asarray(label).reshape(shape)

    def _rewind(self) -> None:
        self.cur, self._ended = 0, False
        if self.imgrec is not None and self.seq is None:
            self.imgrec.reset()

    def next_sample(self) -> tuple[Any, bytes]:
        """Return the label and the file of the next picture. Raises StopIteration after the last."""
        if self.seq is None:
            assert self.imgrec is not None
            record = self.imgrec.read()
        elif self.cur >= len(self.seq):
            raise StopIteration
        else:
            key = self.seq[self.cur]
            self.cur += 1
            if self.imgrec is None:
                label, name = self.imglist[key]  # type: ignore[index]
                return label, self.read_image(name)
            record = self.imgrec.read_idx(key)  # type: ignore[attr-defined]
        if record is None:
            raise StopIteration
        header, data = recordio.unpack(record)
        if self.seq is not None and self.imglist is not None:
            return self.imglist[self.seq[self.cur - 1]][0], data
        return header.label, data

    def imdecode(self, s: bytes) -> NDArray:
        """Decode a picture. Raises MXNetError that says which."""
        try:
            return imdecode(s)
        except MXNetError as error:
            raise MXNetError(f"picture {self.cur} of this iterator cannot be read: {error}") from error

    def read_image(self, fname: str) -> bytes:
        """Read a file of ``path_root``."""
        path = os.path.join(self.path_root or "", fname)
        with reading(path), open(path, "rb") as file:
            return file.read()

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """Raise ValueError for another shape than (3, height, width)."""
        if len(data_shape) != 3 or data_shape[0] != 3:
            raise MXNetValueError(f"data_shape is (3, height, width), got {tuple(data_shape)}.")

    def check_valid_image(self, data: Sequence[NDArray]) -> None:
        """Raise MXNetError for a picture without pixels."""
        if not data[0].shape:
            raise MXNetError("Data shape is wrong")

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """Return a picture as a batch has it: (channels, height, width)."""
        return NDArray(np.ascontiguousarray(np.moveaxis(datum.asnumpy(), -1, 0)), datum.context)

    def augmentation_transform(self, data: NDArray) -> NDArray:
        """Apply all augmenters."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data


def _records(path: str | None, index: str | None) -> tuple[recordio.MXRecordIO | None, list[Any] | None]:
    if not path:
        return None, None
    if not index:
        return recordio.MXRecordIO(path, "r"), None
    records = recordio.MXIndexedRecordIO(index, path, "r")
    return records, list(records.keys)


def _listed(path: str | None, entries: Any, dtype: str) -> dict[Any, tuple[Array, str]] | None:
    """Return labels and file of each picture of a list, by number."""
    if dtype not in ("int32", "float32", "int64", "float64"):
        raise MXNetValueError(f"dtype must be int32, float32, int64 or float64, got {dtype!r}.")
    if path:
        listed: dict[Any, tuple[Array, str]] = {}
        with reading(path), open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                parts = line.strip().split("\t")
                try:
                    listed[int(parts[0])] = np.array(list(map(float, parts[1:-1])), dtype), parts[-1]
                except ValueError as error:
                    raise MXNetError(f"{path}, line {number}: expected a number, labels and a file: {error}") from error
        return listed
    if not isinstance(entries, list):
        return None
    labels = [np.array(entry[:-1] if len(entry) > 2 else entry[0], dtype).reshape(-1) for entry in entries]
    return {str(number): (label, entry[-1]) for number, (label, entry) in enumerate(zip(labels, entries), 1)}
