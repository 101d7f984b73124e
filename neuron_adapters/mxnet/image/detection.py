"""``mx.image.ImageDetIter``: batches of pictures with boxes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.image import _det_augment
from neuron_adapters.mxnet.image._det_augment import *  # noqa: F403 - it says what it shows
from neuron_adapters.mxnet.image._det_augment import CreateDetAugmenter, DetAugmenter
from neuron_adapters.mxnet.image.iterator import ImageIter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["ImageDetIter"]
__all__ += _det_augment.__all__

__getattr__: Missing = missing_names("mx.image.detection")

Array = np.ndarray[Any, Any]
_LOGGER = logging.getLogger("neuron_adapters")


class ImageDetIter(ImageIter):
    """Batches of pictures, and of their boxes: (batch, most boxes of a picture, numbers of a box), -1 where there are
    fewer. A label is, in one row: how many numbers come before the boxes, how many a box has, and the boxes: class,
    left, top, right, bottom from 0 to 1, and more.

    The other arguments are those of ``ImageIter``; ``kwargs``: as ``CreateDetAugmenter`` takes them.
    """

    det_auglist: list[DetAugmenter]
    label_shape: tuple[int, int]

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        path_imgrec: str | None = None,
        path_imglist: str | None = None,
        path_root: str | None = None,
        path_imgidx: str | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[DetAugmenter] | None = None,
        imglist: Sequence[Sequence[Any]] | None = None,
        data_name: str = "data",
        label_name: str = "label",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            batch_size, data_shape, path_imgrec=path_imgrec, path_imglist=path_imglist, path_root=path_root,
            path_imgidx=path_imgidx, shuffle=shuffle, part_index=part_index, num_parts=num_parts, aug_list=[],
            imglist=imglist, data_name=data_name, label_name=label_name, last_batch_handle=last_batch_handle,
        )  # fmt: skip
        self.det_auglist = CreateDetAugmenter(self.data_shape, **kwargs) if aug_list is None else list(aug_list)
        self.auglist = self.det_auglist
        self.label_shape = self._estimate_label_shape()
        self.provide_label = [(label_name, (batch_size, *self.label_shape))]

    def _estimate_label_shape(self) -> tuple[int, int]:
        """Return the most boxes of a picture, and the numbers of a box."""
        most, width = 0, 0
        self.hard_reset()
        while True:
            try:
                label, _data = self.next_sample()
            except StopIteration:
                break
            boxes = self._parse_label(label)
            most, width = max(most, len(boxes)), boxes.shape[1]
        self.hard_reset()
        return most, width

    def _parse_label(self, label: Any) -> Array:
        """Return the boxes of a label. Raises MXNetError where it has none that are valid."""
        numbers = np.asarray(label.asnumpy() if isinstance(label, NDArray) else label).ravel()
        if numbers.size < 7:
            raise MXNetError(f"a label has two numbers and a box at least, got {numbers.size} numbers.")
        head, width = int(numbers[0]), int(numbers[1])
        if width < 5 or (numbers.size - head) % width:
            raise MXNetError(f"a label of {numbers.size} numbers, {head} of them before boxes of {width}, is no label.")
        boxes = numbers[head:].reshape(-1, width)
        valid: Array = boxes[(boxes[:, 3] > boxes[:, 1]) & (boxes[:, 4] > boxes[:, 2])]
        if not len(valid):
            raise MXNetError("a picture has no box that is valid: left of right, top above bottom.")
        return valid

    def _row(self, label: Any, data: bytes) -> tuple[Any, Array] | None:
        picture = self.imdecode(data)
        try:
            self.check_valid_image([picture])
            boxes = self._parse_label(label)
            for augmenter in self.det_auglist:
                picture, boxes = augmenter(picture, boxes)
        except MXNetError as error:
            _LOGGER.debug("Invalid image, skipping: %s", error)
            return None
        if not np.any((boxes[:, 0] >= 0) & (boxes[:, 3] > boxes[:, 1]) & (boxes[:, 4] > boxes[:, 2])):
            return None
        return boxes, self.postprocess_data(picture).asnumpy()

    def _filled(self, label: Any, shape: tuple[int, ...]) -> Array:
        rows = np.full(shape, -1, np.float32)
        rows[: len(label)] = label
        return rows

    def reshape(self, data_shape: Sequence[int] | None = None, label_shape: Sequence[int] | None = None) -> None:
        """Give other shapes from now on. Raises ValueError for fewer boxes, or boxes of other numbers."""
        if data_shape is not None:
            self.check_data_shape(data_shape)
            self.data_shape = tuple(data_shape)
            self.provide_data = [(self.provide_data[0][0], (self.batch_size, *self.data_shape))]
        if label_shape is not None:
            self.check_label_shape(label_shape)
            self.label_shape = (label_shape[0], label_shape[1])
            self.provide_label = [(self.provide_label[0][0], (self.batch_size, *self.label_shape))]

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """Raise ValueError for fewer boxes, or boxes of other numbers."""
        if len(label_shape) != 2 or label_shape[0] < self.label_shape[0] or label_shape[1] != self.label_shape[1]:
            raise MXNetValueError(
                f"label_shape is (boxes, numbers of a box), {self.label_shape} with more boxes, got {label_shape}."
            )

    def sync_label_shape(self, it: ImageDetIter, verbose: bool = False) -> ImageDetIter:
        """Let both iterators have room for the most boxes of either; return ``it``."""
        if not isinstance(it, ImageDetIter) or self.label_shape[1] != it.label_shape[1]:
            raise MXNetError("sync_label_shape() takes an ImageDetIter whose boxes have as many numbers.")
        most = max(self.label_shape[0], it.label_shape[0])
        for iterator in (self, it):
            iterator.reshape(None, (most, self.label_shape[1]))
        if verbose:
            _LOGGER.info("Resized label_shape to (%d, %d).", most, self.label_shape[1])
        return it

    def draw_next(self, *_args: Any, **_options: Any) -> Any:
        """Refuse: see the error."""
        raise MXNetError("ImageDetIter.draw_next() is not in this package: draw the boxes of next() yourself.")
