"""Pictures turned about their middle."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuron_adapters.mxnet import ndarray
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["imrotate", "random_rotate"]

Array = np.ndarray[Any, Any]


def imrotate(src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> NDArray:
    """Turn a picture (channels, height, width) of float32, or each of a batch, by degrees: a number, or one for each.

    ``zoom_in``: enlarge it until nothing outside is seen; ``zoom_out``: shrink it until all of it is. Raises ValueError
    and TypeError as MXNet does.
    """
    if zoom_in and zoom_out:
        raise MXNetValueError("`zoom_in` and `zoom_out` cannot be both True")
    if src.dtype is not np.float32:
        raise TypeError(f"Only float32 pictures can be turned, got {np.dtype(src.dtype)}: use it after ToTensor")
    if src.ndim not in (3, 4):
        raise MXNetValueError(f"Only 3D and 4D are supported by this function, got {src.shape}.")
    single = isinstance(rotation_degrees, (int, float, np.number))
    if src.ndim == 3 and not single:
        raise TypeError("the angle of a single picture is a number")
    pictures = src if src.ndim == 4 else NDArray(src._array[None], src.context)
    count, _channels, height, width = pictures.shape
    angles = np.full(count, rotation_degrees, np.float32) if single else np.asarray(rotation_degrees, np.float32)
    if len(angles) != count:
        raise MXNetValueError(f"there must be an angle for each of {count} pictures, got {len(angles)}.")
    grid = _grid(angles * np.float32(np.pi / 180), height, width)
    if zoom_in or zoom_out:
        grid = grid * _zoom(angles * np.float32(np.pi / 180), height, width, inwards=zoom_in)[:, None, None, None]
    turned: NDArray = ndarray.BilinearSampler(pictures, NDArray(np.ascontiguousarray(grid, np.float32), src.context))
    return turned[0] if src.ndim == 3 else turned


def random_rotate(
    src: NDArray, angle_limits: tuple[float, float], zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """Turn by a random angle, each picture of a batch by its own; ``numpy.random.seed()`` decides, as in MXNet."""
    size = None if src.ndim == 3 else src.shape[0]
    return imrotate(src, np.random.uniform(*angle_limits, size=size), zoom_in, zoom_out)  # noqa: NPY002


def _grid(angles: Array, height: int, width: int) -> Array:
    """Return the place of each point of the result in the source: x and y, from -1 to 1."""
    half_height, half_width = (height - 1) / 2, (width - 1) / 2
    y = (np.arange(height, dtype=np.float32) - half_height)[None, :, None]
    x = (np.arange(width, dtype=np.float32) - half_width)[None, None, :]
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    return np.stack([(x * cosine - y * sine) / half_width, (x * sine + y * cosine) / half_height], 1)


def _zoom(angles: Array, height: int, width: int, *, inwards: bool) -> Array:
    """Return the factor by which the turned corners reach beyond the picture, or the other way round."""
    radius, corner, turn = np.hypot(height, width), np.arctan(height / width), np.abs(angles)
    places = np.stack([corner + turn, corner - turn])
    across = np.abs(radius * np.cos(places)).max(0)
    down = np.abs(radius * np.sin(places)).max(0)
    factor: Array = np.minimum(width / across, height / down) if inwards else np.maximum(across / width, down / height)
    return factor
