"""``mx.image``: pictures, read, resized and cropped, one by one or in batches."""

from __future__ import annotations

from neuron_adapters.mxnet.image import image
from neuron_adapters.mxnet.image.augment import (
    Augmenter,
    CastAug,
    CenterCropAug,
    ColorNormalizeAug,
    CreateAugmenter,
    ForceResizeAug,
    HorizontalFlipAug,
    RandomCropAug,
    RandomSizedCropAug,
    ResizeAug,
    SequentialAug,
    random_crop,
    random_size_crop,
    scale_down,
)
from neuron_adapters.mxnet.image.image import (
    center_crop,
    color_normalize,
    fixed_crop,
    imdecode,
    imread,
    imresize,
    resize_short,
)
from neuron_adapters.mxnet.image.iterator import ImageIter
from neuron_adapters.mxnet.image.rotation import imrotate, random_rotate

__all__ = [
    "Augmenter", "CastAug", "CenterCropAug", "ColorNormalizeAug", "CreateAugmenter", "ForceResizeAug",
    "HorizontalFlipAug", "ImageIter", "RandomCropAug", "RandomSizedCropAug", "ResizeAug", "SequentialAug",
    "center_crop", "color_normalize", "fixed_crop", "image", "imdecode", "imread", "imresize", "imrotate",
    "random_crop", "random_rotate", "random_size_crop", "resize_short", "scale_down",
]  # fmt: skip
