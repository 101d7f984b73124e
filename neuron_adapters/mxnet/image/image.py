"""Pictures: read, resized and cropped as OpenCV does for MXNet. Reading takes Pillow."""

from __future__ import annotations

import io
import os
import random
from typing import Any

import numpy as np

from neuron_adapters.mxnet._resampling import KERNELS, weights_for
from neuron_adapters.mxnet._training import Elsewhere, names_of
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError, reading
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["center_crop", "color_normalize", "fixed_crop", "imdecode", "imread", "imresize", "resize_short"]

__getattr__: Elsewhere = names_of("neuron_adapters.mxnet.image", "mx.image.image")

Array = np.ndarray[Any, Any]
Size = tuple[int, int]
Box = tuple[int, int, int, int]


def imread(filename: str | os.PathLike[str], flag: int = 1, to_rgb: bool = True) -> NDArray:
    """Read an image file as uint8 of height, width and channels. ``flag`` 0: one channel, grey; -1: as
    many as the file has. ``to_rgb`` False: blue
    first.

    Raises MXNetError for a file that is not an image, and ImportError where Pillow is missing.
    """
    with reading(filename), open(filename, "rb") as file:
        return imdecode(file.read(), flag, to_rgb, source=os.fspath(filename))


def imdecode(
    buf: bytes | bytearray | memoryview | NDArray | Array, flag: int = 1, to_rgb: bool = True, source: str = "buffer"
) -> NDArray:
    """Decode the bytes of an image file, as ``imread`` does."""
    library = pillow()
    data = np.asarray(buf).tobytes() if isinstance(buf, (NDArray, np.ndarray)) else bytes(buf)
    try:
        with library.open(io.BytesIO(data)) as picture:
            if flag == 0:
                picture.draft("L", picture.size)  # a JPEG has a grey picture in it, as OpenCV reads it
            kept = picture.mode if picture.mode in ("L", "RGB") else "RGB"
            pixels = np.array(picture.convert("L" if flag == 0 else "RGB" if flag > 0 else kept))
    except (OSError, SyntaxError, ValueError, library.DecompressionBombError) as error:
        raise MXNetError(f"{source} cannot be read as an image: {error}") from error
    if pixels.ndim == 2:
        return NDArray(pixels[:, :, None])
    return NDArray(pixels if to_rgb else np.ascontiguousarray(pixels[:, :, ::-1]))


def imresize(src: NDArray, w: int, h: int, interp: int = 1) -> NDArray:
    """Resize ``src``, of height, width and channels. ``interp``: 0 nearest, 1 linear, 2 cubic, 3 mean of the area, 4
    Lanczos, 9 the mean where it shrinks and cubic where it grows, 10 any of 0 to 4."""
    if w < 1 or h < 1:
        raise MXNetValueError(f"an image has at least one pixel, got {w} x {h}.")
    if interp == 10:
        interp = random.randint(0, 4)  # noqa: S311 - pictures, no secrets
    if interp == 9:
        grows, shrinks = h > src.shape[0] and w > src.shape[1], h < src.shape[0] and w < src.shape[1]
        interp = 2 if grows else 3 if shrinks else 1
    if interp != 3 and interp not in KERNELS:
        raise MXNetValueError(f"interp must be from 0 to 4, or 9, got {interp!r}.")
    array = np.asarray(src)
    rows, columns = weights_for(array.shape[:2], (h, w), interp)
    resized = np.einsum("hy,wx,yxc->hwc", rows, columns, array.astype(np.float32), optimize=True)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        resized = np.clip(np.rint(resized), limits.min, limits.max)
    return NDArray(np.ascontiguousarray(resized.astype(array.dtype)), src.context)


def resize_short(src: NDArray, size: int, interp: int = 2) -> NDArray:
    """Resize so that the shorter edge is ``size``."""
    height, width = src.shape[:2]
    if height > width:
        return imresize(src, size, size * height // width, interp)
    return imresize(src, size * width // height, size, interp)


def fixed_crop(src: NDArray, x0: int, y0: int, w: int, h: int, size: Size | None = None, interp: int = 2) -> NDArray:
    """Crop ``w`` x ``h`` at ``x0``, ``y0`` and resize to ``size`` (width, height)."""
    height, width = src.shape[:2]
    if min(x0, y0) < 0 or min(w, h) < 1 or x0 + w > width or y0 + h > height:
        raise MXNetValueError(f"{w} x {h} at {x0}, {y0} is not inside an image of {width} x {height}.")
    part = src[y0 : y0 + h, x0 : x0 + w].copy()
    return part if size is None or (w, h) == tuple(size) else imresize(part, *size, interp)


def center_crop(src: NDArray, size: Size, interp: int = 2) -> tuple[NDArray, Box]:
    """Crop the middle of ``size`` (width, height), or what fits, resized to it; also return the box of the crop: x, y,
    width and height."""
    height, width = src.shape[:2]
    w, h = map(float, size)
    if height < h:
        w, h = w * height / h, height
    if width < w:
        w, h = width, h * width / w
    box = (width - int(w)) // 2, (height - int(h)) // 2, int(w), int(h)
    return fixed_crop(src, *box, size, interp), box


def color_normalize(src: NDArray, mean: Any, std: Any = None) -> NDArray:
    """Subtract ``mean`` and divide by ``std``; NDArrays or numbers."""
    if mean is not None:
        src = src - mean
    return src if std is None else src / std


def pillow() -> Any:
    """Import Pillow."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("mx.image reads pictures with Pillow: pip install 'neuron-adapters[mx]'") from None
    return Image
