"""``mx.image``: pictures, read, resized and cropped, one by one or in batches."""

from __future__ import annotations

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.image import colour, detection, image
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
from neuron_adapters.mxnet.image.border import copyMakeBorder
from neuron_adapters.mxnet.image.colour import *  # noqa: F403 - they say what they show
from neuron_adapters.mxnet.image.detection import *  # noqa: F403
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
    "Augmenter",
    "CastAug",
    "CenterCropAug",
    "ColorNormalizeAug",
    "CreateAugmenter",
    "ForceResizeAug",
    "HorizontalFlipAug",
    "ImageIter",
    "RandomCropAug",
    "RandomSizedCropAug",
    "ResizeAug",
    "SequentialAug",
    "center_crop",
    "color_normalize",
    "copyMakeBorder",
    "detection",
    "fixed_crop",
    "image",
    "imdecode",
    "imread",
    "imresize",
    "imrotate",
    "random_crop",
    "random_rotate",
    "random_size_crop",
    "resize_short",
    "scale_down",
]  # fmt: skip
__all__ += colour.__all__
__all__ += detection.__all__

det = detection

__getattr__: Missing = missing_names("mx.image")
