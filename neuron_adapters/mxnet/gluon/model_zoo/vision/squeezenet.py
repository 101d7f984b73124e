"""SqueezeNets of ``mx.gluon.model_zoo.vision``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.contrib.nn import HybridConcurrent
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, chain, loaded, named

__all__ = ["SqueezeNet", "get_squeezenet", "squeezenet1_0", "squeezenet1_1"]

#: The first convolution, and then "pool", or the channels of a fire module.
_PARTS: dict[str, tuple[tuple[int, int], list[int | str]]] = {
    "1.0": ((96, 7), ["pool", 16, 16, 32, "pool", 32, 48, 48, 64, "pool", 64]),
    "1.1": ((64, 3), ["pool", 16, 16, "pool", 32, 32, "pool", 48, 48, 64, 64]),
}


def _convolution(channels: int, kernel: int, padding: int = 0) -> HybridBlock:
    return chain(nn.Conv2D(channels, kernel, padding=padding), nn.Activation("relu"))


def _fire(squeezed: int) -> HybridBlock:
    block = chain(_convolution(squeezed, 1))
    paths = HybridConcurrent(axis=1, prefix="")
    paths.add(_convolution(4 * squeezed, 1), _convolution(4 * squeezed, 3, 1))
    block.add(paths)
    return block


class SqueezeNet(Network):
    """Few weights: convolutions of 1 x 1 before those of 3 x 3."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(self, version: str, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if version not in _PARTS:
            raise MXNetError(f"Unsupported SqueezeNet version {version}: 1.0 or 1.1 expected.")
        (channels, kernel), parts = _PARTS[version]
        with self.name_scope():
            self.features = chain(nn.Conv2D(channels, kernel, 2), nn.Activation("relu"))
            for part in parts:
                self.features.add(_fire(part) if isinstance(part, int) else nn.MaxPool2D(3, 2, ceil_mode=True))
            self.features.add(nn.Dropout(0.5))
            self.output = chain(nn.Conv2D(classes, 1), nn.Activation("relu"), nn.AvgPool2D(13), nn.Flatten())


def get_squeezenet(
    version: str, pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> SqueezeNet:
    """Return a SqueezeNet of version "1.0" or "1.1"."""
    return loaded(SqueezeNet(version, **kwargs), f"squeezenet{version}", pretrained, ctx, root)


squeezenet1_0: Callable[..., SqueezeNet]
squeezenet1_1: Callable[..., SqueezeNet]
squeezenet1_0, squeezenet1_1 = (
    named(f"squeezenet{version.replace('.', '_')}", functools.partial(get_squeezenet, version), "Return a SqueezeNet.")
    for version in _PARTS
)
