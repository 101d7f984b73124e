"""``mx.io.ImageRecordIter``: batches of the pictures of a file of records, as MXNet's own reader makes them."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray, recordio
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.image.image import fixed_crop, imdecode, imresize
from neuron_adapters.mxnet.io import DataBatch, DataDesc, DataIter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["ImageRecordInt8Iter", "ImageRecordIter", "ImageRecordUInt8Iter"]

Array = np.ndarray[Any, Any]

#: What changes pictures for training. Their values that change nothing.
_TRAINING: dict[str, Any] = {
    "brightness": 0, "contrast": 0, "max_aspect_ratio": 0, "max_random_contrast": 0, "max_random_illumination": 0,
    "max_random_scale": 1, "max_rotate_angle": 0, "max_shear_ratio": 0, "min_random_scale": 1, "pca_noise": 0,
    "random_h": 0, "random_l": 0, "random_resized_crop": False, "random_s": 0, "rotate": -1, "saturation": 0,
    "pad": 0, "max_crop_size": -1, "min_crop_size": -1,
}  # fmt: skip
#: What says how MXNet works, not what it gives.
_IGNORED = {
    "cache_shuffle_chunk_size", "ctx", "device_id", "dali", "fill_value", "max_img_size", "max_random_area",
    "min_aspect_ratio", "min_img_size", "min_random_area", "preprocess_threads", "prefetch_buffer", "seed", "seed_aug",
    "shuffle_chunk_seed", "shuffle_chunk_size", "verbose",
}  # fmt: skip


class ImageRecordIter(DataIter):
    """Batches (batch, channels, height, width) of a file of records, and their labels.

    Each picture is resized to ``resize`` at its shorter edge where that is said, cropped to ``data_shape`` in its
    middle (``rand_crop``: anywhere), mirrored (``mirror``, ``rand_mirror``), and normalised: less the mean, divided by
    the deviation, times ``scale``. ``round_batch``: the last batch is filled up from the beginning, and the next round
    begins behind that.

    Raises ValueError for arguments that do not fit, MXNetError for what is for training and for pictures that cannot be
    read or are smaller than ``data_shape``.
    """

    _dtype: Any = np.float32

    def __init__(
        self,
        path_imgrec: str,
        data_shape: Sequence[int],
        batch_size: int,
        path_imgidx: str = "",  # noqa: ARG002 - where the records are is read from the file itself
        path_imglist: str = "",
        label_width: int = 1,
        shuffle: bool = False,
        resize: int = -1,
        rand_crop: bool = False,
        rand_mirror: bool = False,
        mirror: bool = False,
        mean_img: str = "",
        mean_r: float = 0.0,
        mean_g: float = 0.0,
        mean_b: float = 0.0,
        mean_a: float = 0.0,
        std_r: float = 1.0,
        std_g: float = 1.0,
        std_b: float = 1.0,
        std_a: float = 1.0,
        scale: float = 1.0,
        inter_method: int = 1,
        round_batch: bool = True,
        num_parts: int = 1,
        part_index: int = 0,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: Any = None,
        **others: Any,
    ) -> None:
        super().__init__(batch_size)
        self._shape = tuple(data_shape)
        if len(self._shape) != 3 or self._shape[0] not in (1, 3, 4) or batch_size < 1:
            raise MXNetValueError(
                f"data_shape is (channels, height, width), of batches, got {self._shape}, {batch_size}."
            )
        check_arguments("ImageRecordIter", others, _TRAINING, _IGNORED)
        if path_imglist:
            raise MXNetValueError("path_imglist: labels are those of the records; write them there with im2rec.")
        self._records = _all_records(path_imgrec, num_parts, part_index)
        self._mean = _mean(mean_img, (mean_r, mean_g, mean_b, mean_a)[: self._shape[0]])
        self._factor = np.array([scale / std for std in (std_r, std_g, std_b, std_a)[: self._shape[0]]], np.float32)
        self._resize, self._interp = resize, inter_method
        self._random_crop, self._mirror, self._random_mirror = rand_crop, mirror, rand_mirror
        self._shuffle, self._round, self._width = shuffle, round_batch, label_width
        self._out = np.dtype(self._dtype if dtype is None else dtype)
        self.provide_data = [DataDesc(data_name, (batch_size, *self._shape), self._out)]
        labels = (batch_size,) if label_width == 1 else (batch_size, label_width)
        self.provide_label = [DataDesc(label_name, labels)]
        self._first = 0
        self._batch: DataBatch | None = None
        self.reset()

    def reset(self) -> None:
        """To the beginning; behind what the last batch was filled up with, where that was."""
        if self._shuffle:
            random.shuffle(self._records)
        self._cursor, self._first = self._first, 0

    def iter_next(self) -> bool:
        """Make the next batch; return whether there is one."""
        count = len(self._records)
        if self._cursor >= count:
            return False
        places = list(range(self._cursor, min(self._cursor + self.batch_size, count)))
        self._cursor += len(places)
        pad = self.batch_size - len(places)
        if pad and self._round:
            self._first = pad % count
        # Without rounding the rows that are too many are of no account.
        numbers = [*places, *(place % count for place in range(pad))]
        data = np.empty((self.batch_size, *self._shape), self._out)
        label = np.zeros(self.provide_label[0].shape, np.float32)
        for row, place in enumerate(numbers):
            pixels, label[row] = self._row(place)
            data[row] = pixels.astype(self._out)
        index = np.array([self._records[place][0] for place in numbers], np.uint64)
        self._batch = DataBatch([NDArray(data)], [NDArray(label)], pad, index)
        return True

    def next(self) -> DataBatch:
        """Return the next batch. Raises StopIteration after the last."""
        if not self.iter_next() or self._batch is None:
            raise StopIteration
        return self._batch

    def _current(self) -> DataBatch:
        if self._batch is None:
            raise MXNetError("there is no batch yet: call next() or iter_next().")
        return self._batch

    def getdata(self) -> NDArray:
        """Return the pictures of this batch."""
        return self._current().data[0]

    def getlabel(self) -> NDArray:
        """Return the labels of this batch."""
        return self._current().label[0]  # type: ignore[index]

    def getpad(self) -> int:
        """Return how many rows fill this batch up."""
        return int(self._current().pad or 0)

    def getindex(self) -> Array:
        """Return the numbers of the records of this batch."""
        index: Array = self._current().index
        return index

    def _row(self, place: int) -> tuple[Array, Any]:
        """Return the numbers of a picture, and its label."""
        _key, header, data = self._records[place]
        return self._picture(data, place), _label(header.label, self._width)

    def _picture(self, data: bytes, place: int) -> Array:
        channels, height, width = self._shape
        picture = decoded(data, channels, place)
        if self._resize > 0:
            picture = shorter(picture, self._resize, self._interp)
        rows, columns = picture.shape[:2]
        if rows < height or columns < width:
            raise MXNetError(
                f"record {place}: a picture of {columns} x {rows} is smaller than data_shape, {width} x {height}: say "
                "resize=."
            )
        y, x = rows - height, columns - width
        if self._random_crop:
            y, x = random.randint(0, y), random.randint(0, x)  # noqa: S311
        else:
            y, x = y // 2, x // 2
        pixels = np.moveaxis(fixed_crop(picture, x, y, width, height).asnumpy(), -1, 0).astype(np.float32)
        if self._mirror or (self._random_mirror and random.random() < 0.5):  # noqa: S311
            pixels = pixels[:, :, ::-1]
        return self._normal(pixels)

    def _normal(self, pixels: Array) -> Array:
        if self._out.kind in "iu":
            return np.minimum(pixels, np.iinfo(self._out).max)
        normal: Array = (pixels - self._mean) * self._factor.reshape(-1, 1, 1)
        return normal


class ImageRecordUInt8Iter(ImageRecordIter):
    """The same, of numbers 0 to 255: nothing is normalised."""

    _dtype = np.uint8


class ImageRecordInt8Iter(ImageRecordIter):
    """The same; what is above 127 is 127, as MXNet has it."""

    _dtype = np.int8


def check_arguments(name: str, others: dict[str, Any], training: dict[str, Any], ignored: set[str]) -> None:
    """Raise MXNetError for arguments of ``name`` that are for training, unless they change nothing, and MXNetValueError
    for those that it does not have."""
    for argument, value in others.items():
        if argument in training:
            if value != training[argument]:
                raise MXNetError(
                    f"{name}: {argument}={value!r} changes pictures for training, and this package infers only: "
                    "leave it out."
                )
        elif argument not in ignored:
            raise MXNetValueError(f"{name} has no parameter {argument!r}.")


def decoded(data: bytes, channels: int, place: int) -> NDArray:
    """Decode the picture of a record."""
    return imdecode(data, 0 if channels == 1 else 1, source=f"record {place}")


def _all_records(path: str, num_parts: int, part_index: int) -> list[tuple[int, recordio.IRHeader, bytes]]:
    if not 0 <= part_index < num_parts:
        raise MXNetValueError(f"part_index must be from 0 to num_parts - 1, got {part_index} of {num_parts}.")
    records = []
    with recordio.MXRecordIO(path, "r") as file:
        while (record := file.read()) is not None:
            header, data = recordio.unpack(record)
            records.append((header.id, header, data))
    size = -(-len(records) // num_parts)
    mine = records[part_index * size : (part_index + 1) * size]
    if not mine:
        raise MXNetError(f"{os.fspath(path)} has {len(records)} records, none for part {part_index} of {num_parts}.")
    return mine


def _mean(path: str, numbers: Sequence[float]) -> Array:
    if not path:
        return np.array(numbers, np.float32).reshape(-1, 1, 1)
    arrays = ndarray.load(path)
    if not isinstance(arrays, dict) or "mean_img" not in arrays:
        raise MXNetError(f"{path} is not a mean picture: it has no array mean_img.")
    return arrays["mean_img"].asnumpy()


def shorter(picture: NDArray, size: int, interp: int) -> NDArray:
    """Resize a picture whose shorter edge is then ``size``."""
    rows, columns = picture.shape[:2]
    if rows > columns:
        return imresize(picture, size, size * rows // columns, interp)
    return imresize(picture, size * columns // rows, size, interp)


def _label(numbers: Any, width: int) -> Any:
    flat = np.asarray(numbers, np.float32).reshape(-1)
    if flat.size != width:
        raise MXNetError(f"label_width is {width}, and a record has {flat.size} labels.")
    return flat if width > 1 else flat[0]
