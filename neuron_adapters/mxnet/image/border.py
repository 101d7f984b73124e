"""``mx.image.copyMakeBorder``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray import NDArray

__all__ = ["copyMakeBorder"]

#: NumPy's names for OpenCV's numbers. 16 is a flag that makes no difference here.
_KINDS = {0: "constant", 1: "edge", 2: "symmetric", 3: "wrap", 4: "reflect"}


def copyMakeBorder(  # noqa: N802 - MXNet's name
    src: NDArray,
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,  # noqa: A002
    value: float = 0.0,
    values: Sequence[float] | float = (),
) -> NDArray:
    """Add a rim to a picture (height, width, channels). ``type``: 0 of one number, ``value``, or one each channel,
    ``values``; 1 of the last pixels; 2 mirrored; 3 of the other side; 4 mirrored without the last pixel."""
    if type & ~16 not in _KINDS:
        raise MXNetValueError(f"copyMakeBorder(): type is one of {list(_KINDS)}, got {type}.")
    pixels, kind = src.asnumpy(), _KINDS[type & ~16]
    rim = ((top, bot), (left, right), (0, 0))
    if kind != "constant":
        return NDArray(np.pad(pixels, rim, mode=kind), src.context)  # type: ignore[call-overload]
    padded = np.pad(pixels, rim)
    colour = np.broadcast_to(np.asarray(values if np.size(values) else value), pixels.shape[-1:]).astype(pixels.dtype)
    inside = np.zeros(padded.shape[:2], bool)
    inside[top : top + pixels.shape[0], left : left + pixels.shape[1]] = True
    padded[~inside] = colour
    return NDArray(padded, src.context)
