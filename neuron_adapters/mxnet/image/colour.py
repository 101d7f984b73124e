"""Augmenters that change colours, for training. ``random.seed`` decides, and ``numpy.random.seed`` of light."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.image.augment import Augmenter
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "BrightnessJitterAug", "ColorJitterAug", "ContrastJitterAug", "HueJitterAug", "LightingAug", "RandomGrayAug",
    "RandomOrderAug", "SaturationJitterAug",
]  # fmt: skip

Array = np.ndarray[Any, Any]

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
_FROM_YIQ = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])
_TO_GREY = np.array([[0.21] * 3, [0.72] * 3, [0.07] * 3], np.float32)


class _Changed(Augmenter):
    """A picture, as float32 numbers, changed."""

    def _apply(self, src: NDArray) -> NDArray:
        changed = self._changed(src.asnumpy().astype(np.float32))
        return NDArray(np.ascontiguousarray(changed, np.float32), src.context)

    def _changed(self, pixels: Array) -> Array:
        raise NotImplementedError


def _factor(most: float) -> np.float32:
    return np.float32(1.0 + random.uniform(-most, most))  # noqa: S311 - pictures, no secrets


class RandomOrderAug(Augmenter):
    """Several, in any order."""

    ts: list[Augmenter]

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = list(ts)

    def dumps(self) -> Any:  # noqa: D102
        return [type(self).__name__.lower(), [augmenter.dumps() for augmenter in self.ts]]

    def _apply(self, src: NDArray) -> NDArray:
        random.shuffle(self.ts)
        for augmenter in self.ts:
            src = augmenter(src)
        return src


class BrightnessJitterAug(_Changed):
    """Darker or brighter, by ``brightness`` at most."""

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def _changed(self, pixels: Array) -> Array:
        return pixels * _factor(self.brightness)


class ContrastJitterAug(_Changed):
    """From or to the mean grey, by ``contrast`` at most."""

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast=contrast)
        self.contrast = contrast

    def _changed(self, pixels: Array) -> Array:
        factor = _factor(self.contrast)
        grey = (pixels @ _GREY).mean(dtype=np.float32)
        mixed: Array = pixels * factor + grey * (1 - factor)
        return mixed


class SaturationJitterAug(_Changed):
    """From or to grey, by ``saturation`` at most."""

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation=saturation)
        self.saturation = saturation

    def _changed(self, pixels: Array) -> Array:
        factor = _factor(self.saturation)
        mixed: Array = pixels * factor + (pixels @ _GREY)[..., None] * (1 - factor)
        return mixed


class HueJitterAug(_Changed):
    """All hues turned, by ``hue`` of half a circle at most."""

    def __init__(self, hue: float) -> None:
        super().__init__(hue=hue)
        self.hue = hue

    def _changed(self, pixels: Array) -> Array:
        angle = random.uniform(-self.hue, self.hue) * np.pi  # noqa: S311
        cos, sin = np.cos(angle), np.sin(angle)
        turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        changed: Array = pixels @ (_FROM_YIQ @ turned @ _TO_YIQ).T.astype(np.float32)
        return changed


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation, in any order."""

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        kinds = (
            (BrightnessJitterAug, brightness), (ContrastJitterAug, contrast), (SaturationJitterAug, saturation),
        )  # fmt: skip
        super().__init__([kind(most) for kind, most in kinds if most > 0])


class LightingAug(_Changed):
    """Light as it varies in ImageNet's pictures: along ``eigvec``, by ``eigval`` times a number of deviation
    ``alphastd``."""

    def __init__(self, alphastd: float, eigval: Any, eigvec: Any) -> None:
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd, self.eigval, self.eigvec = alphastd, eigval, eigvec

    def _changed(self, pixels: Array) -> Array:
        numbers = np.random.normal(0, self.alphastd, size=(3,))  # noqa: NPY002 - as the module says
        lit: Array = pixels + np.dot(np.asarray(self.eigvec) * numbers, np.asarray(self.eigval)).astype(np.float32)
        return lit


class RandomGrayAug(_Changed):
    """Grey, with the probability ``p``."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def _apply(self, src: NDArray) -> NDArray:
        return super()._apply(src) if random.random() < self.p else src  # noqa: S311

    def _changed(self, pixels: Array) -> Array:
        grey: Array = pixels @ _TO_GREY
        return grey


def colours(
    brightness: float, contrast: float, saturation: float, hue: float, pca_noise: float, rand_gray: float
) -> list[Augmenter]:
    """List the augmenters for the numbers that are not 0, in MXNet's order."""
    augmenters: list[Augmenter] = []
    if brightness or contrast or saturation:
        augmenters.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        augmenters.append(HueJitterAug(hue))
    if pca_noise > 0:
        vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
        augmenters.append(LightingAug(pca_noise, np.array([55.46, 4.794, 1.148]), vectors))
    if rand_gray > 0:
        augmenters.append(RandomGrayAug(rand_gray))
    return augmenters
