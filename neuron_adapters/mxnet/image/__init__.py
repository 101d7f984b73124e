"""``mx.image``: pictures, read, resized and cropped."""

from __future__ import annotations

from neuron_adapters.mxnet.image import image
from neuron_adapters.mxnet.image.image import (
    center_crop,
    color_normalize,
    fixed_crop,
    imdecode,
    imread,
    imresize,
    resize_short,
)

__all__ = [
    "center_crop", "color_normalize", "fixed_crop", "image", "imdecode", "imread", "imresize", "resize_short",
]  # fmt: skip
