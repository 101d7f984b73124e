"""What is done with a picture before a network gets it, as a list of functions: ``mx.image.CreateAugmenter``."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.image.image import (
    Box,
    Size,
    center_crop,
    color_normalize,
    fixed_crop,
    imresize,
    resize_short,
)
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "Augmenter", "CastAug", "CenterCropAug", "ColorNormalizeAug", "CreateAugmenter", "ForceResizeAug",
    "HorizontalFlipAug", "RandomCropAug", "RandomSizedCropAug", "ResizeAug", "SequentialAug", "random_crop",
    "random_size_crop", "scale_down",
]  # fmt: skip


def scale_down(src_size: Size, size: Size) -> Size:
    """Return ``size``, or what of its form fits into ``src_size``; both (width, height)."""
    width, height = map(float, size)
    if src_size[1] < height:
        width, height = width * src_size[1] / height, src_size[1]
    if src_size[0] < width:
        width, height = src_size[0], height * src_size[0] / width
    return int(width), int(height)


def random_crop(src: NDArray, size: Size, interp: int = 2) -> tuple[NDArray, Box]:
    """Crop ``size`` (width, height) anywhere, or what fits, resized to it; also return the box: x, y, width, height."""
    height, width = src.shape[:2]
    w, h = scale_down((width, height), size)
    box = random.randint(0, width - w), random.randint(0, height - h), w, h  # noqa: S311 - pictures, no secrets
    return fixed_crop(src, *box, size, interp), box


def random_size_crop(
    src: NDArray, size: Size, area: float | tuple[float, float], ratio: tuple[float, float], interp: int = 2
) -> tuple[NDArray, Box]:
    """Crop a part of ``area`` (least and most, of 1) and ``ratio`` (width to height) anywhere, resized to ``size``; the
    middle where none was met in ten tries. Also return the box."""
    height, width = src.shape[:2]
    least, most = (area, 1.0) if isinstance(area, (int, float)) else area
    for _ in range(10):
        wanted = random.uniform(least, most) * height * width  # noqa: S311
        form = np.exp(random.uniform(np.log(ratio[0]), np.log(ratio[1])))  # noqa: S311
        w, h = round(np.sqrt(wanted * form)), round(np.sqrt(wanted / form))
        if w <= width and h <= height:
            box = random.randint(0, width - w), random.randint(0, height - h), w, h  # noqa: S311
            return fixed_crop(src, *box, size, interp), box
    return center_crop(src, size, interp)


class Augmenter:
    """A function of a picture (height, width, channels). Others derive from it."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = {
            key: np.asarray(value).tolist() if isinstance(value, (NDArray, np.ndarray)) else value
            for key, value in kwargs.items()
        }

    def dumps(self) -> Any:
        """Return its name and arguments as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray) -> NDArray:
        """Return what becomes of a picture."""
        return self._apply(src)

    def _apply(self, src: NDArray) -> NDArray:
        raise NotImplementedError


class SequentialAug(Augmenter):
    """Several, one after the other."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:  # noqa: D102
        return [type(self).__name__.lower(), [augmenter.dumps() for augmenter in self.ts]]

    def _apply(self, src: NDArray) -> NDArray:
        for augmenter in self.ts:
            src = augmenter(src)
        return src


class ResizeAug(Augmenter):
    """Resize the shorter edge to ``size``."""

    size: int
    interp: int

    def __init__(self, size: int, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def _apply(self, src: NDArray) -> NDArray:
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """Resize to ``size`` (width, height)."""

    size: Size
    interp: int

    def __init__(self, size: Size, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def _apply(self, src: NDArray) -> NDArray:
        return imresize(src, *self.size, self.interp)


class CenterCropAug(Augmenter):
    """Crop the middle."""

    size: Size
    interp: int

    def __init__(self, size: Size, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def _apply(self, src: NDArray) -> NDArray:
        return center_crop(src, self.size, self.interp)[0]


class RandomCropAug(Augmenter):
    """Crop anywhere."""

    size: Size
    interp: int

    def __init__(self, size: Size, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def _apply(self, src: NDArray) -> NDArray:
        return random_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """Crop any part, resized to ``size``."""

    size: Size
    area: Any
    ratio: tuple[float, float]
    interp: int

    def __init__(self, size: Size, area: Any, ratio: tuple[float, float], interp: int = 2) -> None:
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size, self.area, self.ratio, self.interp = size, area, ratio, interp

    def _apply(self, src: NDArray) -> NDArray:
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class HorizontalFlipAug(Augmenter):
    """Flip left and right with the probability ``p``."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def _apply(self, src: NDArray) -> NDArray:
        if random.random() >= self.p:  # noqa: S311
            return src
        return NDArray(np.ascontiguousarray(src.asnumpy()[:, ::-1]), src.context)


class CastAug(Augmenter):
    """Cast."""

    def __init__(self, typ: str = "float32") -> None:
        super().__init__(type=typ)
        self.typ = typ

    def _apply(self, src: NDArray) -> NDArray:
        return src.astype(self.typ)


class ColorNormalizeAug(Augmenter):
    """Subtract ``mean`` and divide by ``std``; of each channel."""

    mean: Any
    std: Any

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.mean, self.std = (
            numbers if numbers is None or isinstance(numbers, NDArray) else ndarray.array(numbers)
            for numbers in (mean, std)
        )

    def _apply(self, src: NDArray) -> NDArray:
        return color_normalize(src, self.mean, self.std)


def CreateAugmenter(  # noqa: N802 - MXNet's name
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """List what makes a picture of ``data_shape`` (channels, height, width): resized at its shorter edge, cropped,
    flipped, cast, normalised. ``mean``, ``std`` True: those of ImageNet. The numbers from ``brightness`` on change
    colours, for training."""
    from neuron_adapters.mxnet.image.colour import colours  # it derives from Augmenter

    size = (data_shape[2], data_shape[1])
    augmenters: list[Augmenter] = [ResizeAug(resize, inter_method)] if resize > 0 else []
    if rand_resize:
        if not rand_crop:
            raise MXNetValueError("rand_resize needs rand_crop=True.")
        augmenters.append(RandomSizedCropAug(size, 0.08, (3 / 4, 4 / 3), inter_method))
    else:
        augmenters.append(RandomCropAug(size, inter_method) if rand_crop else CenterCropAug(size, inter_method))
    if rand_mirror:
        augmenters.append(HorizontalFlipAug(0.5))
    augmenters.append(CastAug())
    augmenters += colours(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean = _numbers("mean", mean, (123.68, 116.28, 103.53))
    std = _numbers("std", std, (58.395, 57.12, 57.375))
    if mean is not None or std is not None:
        augmenters.append(ColorNormalizeAug(mean, std))
    return augmenters


def _numbers(name: str, numbers: Any, usual: tuple[float, ...]) -> Any:
    if numbers is True:
        return ndarray.array(usual)
    if numbers is not None and (not isinstance(numbers, (np.ndarray, NDArray)) or numbers.shape[0] not in (1, 3)):
        raise MXNetValueError(f"{name} is True, or an array of 1 or 3 numbers, got {numbers!r}.")
    return numbers
