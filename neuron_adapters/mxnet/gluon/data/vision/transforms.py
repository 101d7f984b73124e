"""``mx.gluon.data.vision.transforms``: what is done with a picture before a network gets it.

A picture is (height, width, channels), until ``ToTensor``: (channels, height, width). ``random.seed`` decides of random
crops and of what is applied, as in MXNet, and ``mx.random.seed`` of the rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from neuron_adapters.mxnet import image
from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray import random as mxnet_random

__all__ = [
    "Cast", "CenterCrop", "Compose", "CropResize", "Normalize", "RandomApply", "RandomBrightness", "RandomColorJitter",
    "RandomContrast", "RandomFlipLeftRight", "RandomFlipTopBottom", "RandomResizedCrop", "RandomRotation",
    "RandomSaturation", "Resize", "Rotate", "ToTensor",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Size = int | Sequence[int]


class Transform:
    """A function of a picture, with the methods of a block that scripts call."""

    def __call__(self, *args: Any) -> Any:
        return self.forward(*args)

    def forward(self, *args: Any) -> Any:
        """Return what becomes of a picture."""
        return self._apply(*args)

    def _apply(self, x: NDArray) -> Any:
        raise NotImplementedError

    def hybridize(self, active: bool = True, **_kwargs: Any) -> None:
        """Do nothing: there is no graph to make."""

    def initialize(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing: there are no parameters."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Compose(Transform):
    """Several transforms, or other functions, one after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self._transforms = list(transforms)

    def _apply(self, x: Any) -> Any:
        for transform in self._transforms:
            x = transform(x)
        return x

    def add(self, *transforms: Callable[[Any], Any]) -> None:
        """Append transforms."""
        self._transforms.extend(transforms)

    def __len__(self) -> int:
        return len(self._transforms)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self._transforms)

    def __getitem__(self, key: Any) -> Any:
        return self._transforms[key]


class Cast(Transform):
    """Cast to ``dtype``."""

    def __init__(self, dtype: Any = "float32") -> None:
        self._dtype = dtype

    def _apply(self, x: NDArray) -> NDArray:
        return x.astype(self._dtype)


class ToTensor(Transform):
    """From numbers 0 to 255 of (height, width, channels) to float32 0 to 1 of (channels, height, width); of a batch of
    such, too."""

    def _apply(self, x: NDArray) -> NDArray:
        if x.ndim not in (3, 4):
            raise MXNetValueError(f"ToTensor takes (height, width, channels), or a batch of them, got {x.shape}.")
        moved = np.moveaxis(x._array, -1, -3)
        return _array(x, np.ascontiguousarray(moved, np.float32) / np.float32(255))


class Normalize(Transform):
    """Subtract ``mean`` and divide by ``std``, numbers or one of each a channel, of (channels, height, width)."""

    def __init__(self, mean: Any = 0.0, std: Any = 1.0) -> None:
        self._mean, self._std = (np.asarray(numbers, np.float32).reshape(-1, 1, 1) for numbers in (mean, std))

    def _apply(self, x: NDArray) -> NDArray:
        channels = x.shape[-3] if x.ndim in (3, 4) else 0
        if x.dtype is not np.float32 or not channels:
            raise MXNetValueError(
                f"Normalize takes float32, as ToTensor makes it, got {np.dtype(x.dtype)} of {x.shape}."
            )
        for name, numbers in (("mean", self._mean), ("std", self._std)):
            if len(numbers) not in (1, channels):
                raise MXNetValueError(f"{name} has {len(numbers)} numbers, and the picture has {channels} channels.")
        return _array(x, (x._array - self._mean) / self._std)


class Resize(Transform):
    """Resize to ``size``: (width, height), or one number for both; with ``keep_ratio`` for the shorter edge."""

    def __init__(self, size: Size, keep_ratio: bool = False, interpolation: int = 1) -> None:
        self._size, self._keep, self._interpolation = size, keep_ratio, interpolation

    def _apply(self, x: NDArray) -> NDArray:
        return _each(x, self._resized)

    def _resized(self, x: NDArray) -> NDArray:
        if isinstance(self._size, (int, np.integer)) and self._keep:
            return image.resize_short(x, int(self._size), self._interpolation)
        return image.imresize(x, *_pair(self._size), self._interpolation)


class CropResize(Transform):
    """Crop ``width`` x ``height`` at ``x``, ``y``, and resize to ``size`` where it is given."""

    def __init__(
        self, x: int, y: int, width: int, height: int, size: Size | None = None, interpolation: int | None = None
    ) -> None:
        self._box = (x, y, width, height)
        self._size, self._interpolation = size, 1 if interpolation is None else interpolation

    def _apply(self, x: NDArray) -> NDArray:
        size = None if not self._size else _pair(self._size)
        return _each(x, lambda picture: image.fixed_crop(picture, *self._box, size, self._interpolation))


class CenterCrop(Transform):
    """Crop the middle of ``size`` (width, height), or what fits, resized to it."""

    def __init__(self, size: Size, interpolation: int = 1) -> None:
        self._size, self._interpolation = _pair(size), interpolation

    def _apply(self, x: NDArray) -> NDArray:
        return image.center_crop(x, self._size, self._interpolation)[0]


class RandomResizedCrop(Transform):
    """Crop a part of ``scale`` (least and most) of the area and a ``ratio`` of the edges, and resize it to ``size``."""

    def __init__(
        self,
        size: Size,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: int = 1,
    ) -> None:
        self._args = (_pair(size), scale, ratio, interpolation)

    def _apply(self, x: NDArray) -> NDArray:
        return image.random_size_crop(x, *self._args)[0]


class _Flip(Transform):
    _axis = 0

    def _apply(self, x: NDArray) -> NDArray:
        return _array(x, np.ascontiguousarray(np.flip(x._array, self._axis))) if _drawn(0, 1) < 0.5 else x


class RandomFlipLeftRight(_Flip):
    """Flip left and right, or not."""

    _axis = -2


class RandomFlipTopBottom(_Flip):
    """Flip top and bottom, or not."""

    _axis = -3


class Rotate(Transform):
    """Turn a picture that ToTensor made by ``rotation_degrees``; see ``mx.image.imrotate``."""

    def __init__(self, rotation_degrees: float, zoom_in: bool = False, zoom_out: bool = False) -> None:
        self._args = (rotation_degrees, zoom_in, zoom_out)

    def _apply(self, x: NDArray) -> NDArray:
        return image.imrotate(x, *self._args)


class RandomRotation(Transform):
    """Turn by an angle between two, with the probability ``rotate_with_proba``."""

    def __init__(
        self,
        angle_limits: tuple[float, float],
        zoom_in: bool = False,
        zoom_out: bool = False,
        rotate_with_proba: float = 1.0,
    ) -> None:
        if angle_limits[0] >= angle_limits[1] or not 0 <= rotate_with_proba <= 1:
            raise MXNetValueError(
                f"angle_limits must rise, rotate_with_proba be from 0 to 1, got {angle_limits}, {rotate_with_proba}."
            )
        self._args, self._p = (angle_limits, zoom_in, zoom_out), rotate_with_proba

    def _apply(self, x: NDArray) -> NDArray:
        if np.random.random() > self._p:  # noqa: NPY002 - numpy.random.seed() decides, as in MXNet
            return x
        return image.random_rotate(x, *self._args)


class RandomApply(Transform):
    """Apply ``transforms``, one or a Compose, with the probability ``p``."""

    transforms: Callable[[Any], Any]
    p: float

    def __init__(self, transforms: Callable[[Any], Any], p: float = 0.5) -> None:
        self.transforms, self.p = transforms, p

    def _apply(self, x: Any) -> Any:
        return x if self.p < random.random() else self.transforms(x)  # noqa: S311 - pictures, no secrets


class _Jitter(Transform):
    """A picture times a factor near 1, plus something times 1 less the factor."""

    def __init__(self, most: float) -> None:
        self._range = (max(0.0, 1 - most), 1 + most)

    def _apply(self, x: NDArray) -> NDArray:
        factor = _drawn(*self._range)
        pixels = x._array.astype(np.float32)
        mixed = pixels * np.float32(factor) + self._other(pixels) * np.float32(1 - factor)
        if x._array.dtype.kind == "u":
            mixed = np.clip(mixed, 0, 255)
        return _array(x, mixed.astype(x.dtype))

    def _other(self, pixels: Array) -> Any:
        raise NotImplementedError


class RandomBrightness(_Jitter):
    """Make it darker or brighter, by ``most`` at most."""

    def _other(self, pixels: Array) -> Any:  # noqa: ARG002
        return np.float32(0)


class RandomContrast(_Jitter):
    """Move it from or to its mean grey."""

    def _other(self, pixels: Array) -> Any:
        return _grey(pixels).mean(dtype=np.float32)


class RandomSaturation(_Jitter):
    """Move it from or to grey."""

    def _other(self, pixels: Array) -> Any:
        return _grey(pixels)[..., None]


class RandomColorJitter(Transform):
    """Brightness, contrast and saturation in any order. ``hue`` is not here."""

    def __init__(self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0) -> None:
        if hue:
            raise MXNetValueError("RandomColorJitter: hue is for training, and not in this package; leave it 0.")
        kinds = ((RandomBrightness, brightness), (RandomContrast, contrast), (RandomSaturation, saturation))
        self._transforms = [kind(most) for kind, most in kinds if most]

    def _apply(self, x: NDArray) -> NDArray:
        for transform in random.sample(self._transforms, len(self._transforms)):
            x = transform(x)
        return x


def _grey(pixels: Array) -> Array:
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    grey: Array = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return grey


def _drawn(low: float, high: float) -> float:
    return float(mxnet_random.uniform(low, high).asscalar())


def _array(like: NDArray, array: Array) -> NDArray:
    return NDArray(array, like.context)


def _pair(size: Size) -> tuple[int, int]:
    if isinstance(size, (int, np.integer)):
        return (int(size), int(size))
    if len(size) != 2:
        raise MXNetValueError(f"size is a number, or (width, height), got {size}.")
    return (int(size[0]), int(size[1]))


def _each(x: NDArray, function: Callable[[NDArray], NDArray]) -> NDArray:
    """Apply a function of pictures to a picture, or to each of a batch."""
    if x.ndim == 4:
        return _array(x, np.stack([function(picture)._array for picture in x]))
    return function(x)


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    refuse_missing(f"mx.gluon.data.vision.transforms.{name}")
