"""``mx.io.ImageDetRecordIter``: batches of pictures with boxes of a file of records, as MXNet makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._record_iter import ImageRecordIter, check_arguments, decoded, shorter
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.image.image import imresize
from neuron_adapters.mxnet.io import DataDesc

__all__ = ["ImageDetRecordIter"]

Array = np.ndarray[Any, Any]

#: What changes pictures and boxes for training. Their values that change nothing.
_TRAINING: dict[str, Any] = {
    "max_random_contrast": 0, "max_random_hue": 0, "max_random_illumination": 0, "max_random_saturation": 0,
    "rand_crop_prob": 0, "rand_mirror_prob": 0, "rand_pad_prob": 0, "random_contrast_prob": 0, "random_hue_prob": 0,
    "random_illumination_prob": 0, "random_saturation_prob": 0, "mirror": False, "rand_mirror": False,
}  # fmt: skip
#: What says how those do it, or how MXNet works.
_IGNORED = {
    "aug_seq", "crop_emit_mode", "emit_overlap_thresh", "fill_value", "max_crop_aspect_ratios",
    "max_crop_object_coverages", "max_crop_overlaps", "max_crop_sample_coverages", "max_crop_scales", "max_crop_trials",
    "max_pad_scale", "min_crop_aspect_ratios", "min_crop_object_coverages", "min_crop_overlaps",
    "min_crop_sample_coverages", "min_crop_scales", "num_crop_sampler", "preprocess_threads", "prefetch_buffer", "seed",
    "shuffle_chunk_seed", "shuffle_chunk_size", "verbose", "ctx", "device_id",
}  # fmt: skip
_NORMALISING = {
    *(f"{kind}_{channel}" for kind in ("mean", "std") for channel in "rgba"), "mean_img", "scale", "shuffle",
    "round_batch", "num_parts", "part_index", "data_name", "path_imgidx", "path_imglist",
}  # fmt: skip


class ImageDetRecordIter(ImageRecordIter):
    """Batches of pictures of ``data_shape``, and of their labels, in one row each: channels, height and width of the
    picture in its batch, how many numbers the label has, the label, and ``label_pad_value`` up to ``label_pad_width``
    numbers, or to the longest label.

    ``resize_mode``: "force" resizes to ``data_shape``; "fit" keeps the ratio, and "shrink" also smaller pictures as
    they are: what is left over is 0. The other arguments are those of ``ImageRecordIter``.

    Raises MXNetError for what is for training, and for labels that do not fit.
    """

    def __init__(
        self,
        path_imgrec: str,
        data_shape: Sequence[int],
        batch_size: int,
        label_width: int = -1,
        label_pad_width: int = 0,
        label_pad_value: float = -1.0,
        resize: int = -1,
        resize_mode: str = "force",
        inter_method: int = 1,
        label_name: str = "softmax_label",
        **others: Any,
    ) -> None:
        if resize_mode not in ("force", "shrink", "fit"):
            raise MXNetValueError(f'resize_mode is "force", "shrink" or "fit", got {resize_mode!r}.')
        rest = {name: value for name, value in others.items() if name not in _NORMALISING}
        check_arguments("ImageDetRecordIter", rest, _TRAINING, _IGNORED)
        known = {name: value for name, value in others.items() if name in _NORMALISING}
        super().__init__(path_imgrec, data_shape, batch_size, **known)
        self._resize, self._mode, self._interp = resize, resize_mode, inter_method
        widths = [np.size(header.label) for _key, header, _data in self._records]
        for place, width in enumerate(widths):
            if label_width not in (-1, width):
                raise MXNetError(f"record {place} has a label of {width} numbers, and label_width is {label_width}.")
        if 0 < label_pad_width < max(widths):
            raise MXNetError(f"label_pad_width is {label_pad_width}, and the longest label has {max(widths)} numbers.")
        self._fill = label_pad_value
        shape = (batch_size, max(label_pad_width, *widths) + 4)
        self.provide_label = [DataDesc(label_name, shape)]

    def _row(self, place: int) -> tuple[Array, Array]:
        _key, header, data = self._records[place]
        picture = decoded(data, self._shape[0], place)
        if self._resize > 0:
            picture = shorter(picture, self._resize, self._interp)
        rows, columns = picture.shape[:2]
        height, width = self._target(rows, columns)
        if (rows, columns) != (height, width):
            picture = imresize(picture, width, height, self._interp)
        pixels = np.zeros(self._shape, np.float32)
        pixels[:, :height, :width] = np.moveaxis(picture.asnumpy(), -1, 0)
        label = np.full(self.provide_label[0].shape[1], self._fill, np.float32)
        numbers = _checked(np.asarray(header.label, np.float32).reshape(-1), place)
        label[: 4 + numbers.size] = [self._shape[0], height, width, numbers.size, *numbers]
        return self._normal(pixels), label

    def _target(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the size of a picture in its batch."""
        height, width = self._shape[1:]
        if self._mode == "force":
            return height, width
        if self._mode == "shrink" and rows <= height and columns <= width:
            return rows, columns
        ratio = min(np.float32(height) / np.float32(rows), np.float32(width) / np.float32(columns))
        return int(ratio * np.float32(rows)), int(ratio * np.float32(columns))


def _checked(label: Array, place: int) -> Array:
    """Return a label. Raises MXNetError where it is not a head of two numbers or more, and boxes of five or more."""
    if label.size < 7:
        raise MXNetError(f"record {place}: a label has two numbers and a box at least, got {label.size} numbers.")
    head, width = int(label[0]), int(label[1])
    if head < 2 or width < 5 or (label.size - head) % width:
        raise MXNetError(
            f"record {place}: a label of {label.size} numbers, {head} of them before boxes of {width}, is no label."
        )
    return label
