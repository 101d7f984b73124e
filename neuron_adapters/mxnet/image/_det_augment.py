"""Augmenters of pictures with boxes, (class, left, top, right, bottom, ...) from 0 to 1: ``CreateDetAugmenter``."""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.image.augment import (
    Augmenter,
    CastAug,
    ColorNormalizeAug,
    ForceResizeAug,
    ResizeAug,
    _numbers,
)
from neuron_adapters.mxnet.image.border import copyMakeBorder
from neuron_adapters.mxnet.image.colour import colours
from neuron_adapters.mxnet.image.image import fixed_crop
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "CreateDetAugmenter", "CreateMultiRandCropAugmenter", "DetAugmenter", "DetBorrowAug", "DetHorizontalFlipAug",
    "DetRandomCropAug", "DetRandomPadAug", "DetRandomSelectAug",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Range = Any
"""The least and the most, or one number for both."""


class DetAugmenter:
    """A function of a picture and its boxes. Others derive from it: ``__call__``."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = {
            key: np.asarray(value).tolist() if isinstance(value, (NDArray, np.ndarray)) else value
            for key, value in kwargs.items()
        }

    def dumps(self) -> Any:
        """Return its name and arguments as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Return what becomes of a picture and its boxes."""
        raise NotImplementedError(f"{type(self).__name__}.__call__()")


class DetBorrowAug(DetAugmenter):
    """An augmenter of pictures that leaves the boxes where they are."""

    def __init__(self, augmenter: Augmenter) -> None:
        if not isinstance(augmenter, Augmenter):
            raise TypeError(f"DetBorrowAug() takes an Augmenter, got {type(augmenter).__name__}")
        super().__init__(augmenter=augmenter.dumps())
        self.augmenter = augmenter

    def dumps(self) -> Any:
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Change the picture."""
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several, or, with the probability ``skip_prob``, none."""

    def __init__(self, aug_list: Any, skip_prob: float = 0) -> None:
        super().__init__(skip_prob=skip_prob)
        self.aug_list = list(aug_list) if isinstance(aug_list, (list, tuple)) else [aug_list]
        if not all(isinstance(augmenter, DetAugmenter) for augmenter in self.aug_list):
            raise MXNetValueError("DetRandomSelectAug() takes a list of DetAugmenters.")
        self.skip_prob = skip_prob if self.aug_list else 1

    def dumps(self) -> Any:
        return [type(self).__name__.lower(), [augmenter.dumps() for augmenter in self.aug_list]]

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Change both, or neither."""
        if random.random() < self.skip_prob:  # noqa: S311 - pictures, no secrets
            return src, label
        random.shuffle(self.aug_list)
        changed: tuple[NDArray, Array] = self.aug_list[0](src, label)
        return changed


class DetHorizontalFlipAug(DetAugmenter):
    """Flip left and right, with the probability ``p``."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Flip both, or neither."""
        if random.random() >= self.p:  # noqa: S311
            return src, label
        flipped = NDArray(np.ascontiguousarray(src.asnumpy()[:, ::-1]), src.context)
        label[:, [1, 3]] = 1.0 - label[:, [3, 1]]
        return flipped, label


class _Sized(NamedTuple):
    x: int
    y: int
    width: int
    height: int


class _Drawn(DetAugmenter):
    """Draws a part, or a frame, of a form: ``aspect_ratio_range``, width to height, and ``area_range``, of the
    picture's."""

    def __init__(
        self, aspect_ratio_range: Range, area_range: Range, max_attempts: int, least: float, **more: Any
    ) -> None:
        ratios, areas = (
            tuple(each) if isinstance(each, (list, tuple)) else (each, each)
            for each in (aspect_ratio_range, area_range)
        )
        super().__init__(aspect_ratio_range=ratios, area_range=areas, max_attempts=max_attempts, **more)
        self.aspect_ratio_range, self.area_range, self.max_attempts = ratios, areas, max_attempts
        self.enabled = least < areas[1] and areas[0] <= areas[1] and 0 < ratios[0] <= ratios[1]
        if not self.enabled:
            warnings.warn(
                f"Skip {type(self).__name__} due to invalid area_range {areas} or aspect_ratio_range {ratios}.",
                stacklevel=3,
            )

    def _sizes(self, height: int, width: int, *, frame: bool) -> Iterator[tuple[int, int]]:
        """Yield widths and heights, at random, of a part or of a ``frame`` around it."""
        least, most = (area * height * width for area in self.area_range)
        for _ in range(self.max_attempts if self.enabled and height > 0 and width > 0 else 0):
            ratio = random.uniform(*self.aspect_ratio_range)  # noqa: S311
            low, high = round(math.sqrt(least / ratio)), round(math.sqrt(most / ratio))
            fitting = int((width + 0.4999999) / ratio)  # as high as the picture is wide
            if frame:
                low = max(low, height, fitting if round(low * ratio) < width else 0)
            else:
                high = min(high, height, fitting if round(high * ratio) > width else high)
            h = random.randint(min(low, high), high)  # noqa: S311
            yield round(h * ratio), h


class DetRandomCropAug(_Drawn):
    """Crop a part that covers each object in it by ``min_object_covered`` at least; objects of which less than
    ``min_eject_coverage`` is left are left out."""

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Range = (0.75, 1.33),
        area_range: Range = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ) -> None:
        super().__init__(
            aspect_ratio_range, area_range, max_attempts, 0.0, min_object_covered=min_object_covered,
            min_eject_coverage=min_eject_coverage,
        )  # fmt: skip
        self.min_object_covered, self.min_eject_coverage = min_object_covered, min_eject_coverage

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Crop, where a part was found."""
        height, width = src.shape[:2]
        least, most = (area * height * width for area in self.area_range)
        for w, h in self._sizes(height, width, frame=False):
            if not (least <= w * h <= most and 0 < w <= width and 0 < h <= height):
                continue
            part = _Sized(random.randint(0, width - w), random.randint(0, height - h), w, h)  # noqa: S311
            kept = self._kept(label, part, height, width)
            if kept is not None:
                return fixed_crop(src, *part, None), kept
        return src, label

    def _kept(self, label: Array, part: _Sized, height: int, width: int) -> Array | None:
        """Return the boxes within a part; None where it covers too little of one, or there are none."""
        if part.width * part.height < 2:
            return None
        start = np.array([part.x / width, part.y / height] * 2)
        size = np.array([part.width / width, part.height / height] * 2)
        inside = np.clip((label[:, 1:5] - start) / size, 0, 1)
        whole, left = _areas(label[:, 1:5]), _areas(inside) * size[0] * size[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            covered = np.where(whole > 0, left / whole, 0)
        touched = covered[(whole * width * height > 2) & (covered > 0)]
        if not touched.size or touched.min() <= self.min_object_covered:
            return None
        valid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1]) & (covered > self.min_eject_coverage)
        if not valid.any():
            return None
        kept: Array = label[valid].copy()
        kept[:, 1:5] = inside[valid]
        return kept


class DetRandomPadAug(_Drawn):
    """Put the picture anywhere into a larger one of the colour ``pad_val``."""

    def __init__(
        self,
        aspect_ratio_range: Range = (0.75, 1.33),
        area_range: Range = (1.0, 3.0),
        max_attempts: int = 50,
        pad_val: Any = (128, 128, 128),
    ) -> None:
        super().__init__(aspect_ratio_range, area_range, max_attempts, 1.0, pad_val=pad_val)
        self.pad_val = pad_val

    def __call__(self, src: NDArray, label: Array) -> tuple[NDArray, Array]:
        """Pad, where a form was found."""
        height, width = src.shape[:2]
        for w, h in self._sizes(height, width, frame=True):
            if h - height < 2 or w - width < 2:
                continue
            y, x = random.randint(0, h - height), random.randint(0, w - width)  # noqa: S311
            moved = label.copy()
            moved[:, [1, 3]] = (moved[:, [1, 3]] * width + x) / w
            moved[:, [2, 4]] = (moved[:, [2, 4]] * height + y) / h
            framed = copyMakeBorder(src, y, h - y - height, x, w - x - width, 16, values=self.pad_val)
            return framed, moved
        return src, label


def _areas(boxes: Array) -> Array:
    sizes = np.maximum(0, boxes[:, 2:4] - boxes[:, :2])
    areas: Array = sizes[:, 0] * sizes[:, 1]
    return areas


def CreateMultiRandCropAugmenter(  # noqa: N802 - MXNet's name
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """Return one that takes one of several crops: each argument is a list, one for each crop, or one for all."""
    options = (min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts)
    lists = [each if isinstance(each, list) else [each] for each in options]
    count = max(map(len, lists))
    if any(len(each) not in (1, count) for each in lists):
        raise MXNetError(f"lists for several crops have one length, got {[len(each) for each in lists]}.")
    crops = [DetRandomCropAug(*arguments) for arguments in zip(*(each * (count // len(each)) for each in lists))]
    return DetRandomSelectAug(crops, skip_prob=skip_prob)


def CreateDetAugmenter(  # noqa: N802 - MXNet's name
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 3.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    pad_val: Any = (127, 127, 127),
) -> list[DetAugmenter]:
    """List what makes a picture of ``data_shape`` (channels, height, width) and its boxes. ``rand_crop``, ``rand_pad``:
    with that probability. ``mean``, ``std`` True: those of ImageNet."""
    augmenters: list[DetAugmenter] = [DetBorrowAug(ResizeAug(resize, inter_method))] if resize > 0 else []
    if rand_crop > 0:
        augmenters.append(
            CreateMultiRandCropAugmenter(
                min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts, 1 - rand_crop
            )
        )
    if rand_mirror:
        augmenters.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        pad = DetRandomPadAug(aspect_ratio_range, (1.0, area_range[1]), max_attempts, pad_val)
        augmenters.append(DetRandomSelectAug([pad], 1 - rand_pad))
    borrowed: list[Augmenter] = [ForceResizeAug((data_shape[2], data_shape[1]), inter_method), CastAug()]
    borrowed += colours(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean, std = _numbers("mean", mean, (123.68, 116.28, 103.53)), _numbers("std", std, (58.395, 57.12, 57.375))
    if mean is not None or std is not None:
        borrowed.append(ColorNormalizeAug(mean, std))
    return augmenters + [DetBorrowAug(augmenter) for augmenter in borrowed]
