"""VGGs of ``mx.gluon.model_zoo.vision``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, loaded, named
from neuron_adapters.mxnet.initializer import Xavier

__all__ = [
    "VGG", "get_vgg", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip


class VGG(Network):
    """Convolutions of 3 x 3, in five parts."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(
        self, layers: list[int], filters: list[int], classes: int = 1000, batch_norm: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = self._make_features(layers, filters, batch_norm)
            for _ in range(2):
                self.features.add(
                    nn.Dense(4096, "relu", weight_initializer="normal", bias_initializer="zeros"), nn.Dropout(0.5)
                )
            self.output = nn.Dense(classes, weight_initializer="normal", bias_initializer="zeros")

    def _make_features(self, layers: list[int], filters: list[int], batch_norm: bool) -> nn.HybridSequential:
        features = nn.HybridSequential(prefix="")
        for count, channels in zip(layers, filters):
            for _ in range(count):
                init = Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)
                features.add(nn.Conv2D(channels, 3, padding=1, weight_initializer=init, bias_initializer="zeros"))
                if batch_norm:
                    features.add(nn.BatchNorm())
                features.add(nn.Activation("relu"))
            features.add(nn.MaxPool2D(strides=2))
        return features


_FILTERS = [64, 128, 256, 512, 512]
vgg_spec: dict[int, tuple[list[int], list[int]]] = {
    11: ([1, 1, 2, 2, 2], _FILTERS), 13: ([2, 2, 2, 2, 2], _FILTERS), 16: ([2, 2, 3, 3, 3], _FILTERS),
    19: ([2, 2, 4, 4, 4], _FILTERS),
}  # fmt: skip


def get_vgg(
    num_layers: int, pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> VGG:
    """Return a VGG of 11, 13, 16 or 19 layers; ``batch_norm``: with normalisations."""
    layers, filters = vgg_spec[num_layers]
    name = f"vgg{num_layers}{'_bn' if kwargs.get('batch_norm') else ''}"
    return loaded(VGG(layers, filters, **kwargs), name, pretrained, ctx, root)


def _constructor(layers: int) -> Any:
    return named(f"vgg{layers}", functools.partial(get_vgg, layers), f"Return a VGG-{layers}.")


def _normalised(layers: int) -> Any:
    make = functools.partial(get_vgg, layers, batch_norm=True)
    return named(f"vgg{layers}_bn", make, f"Return a VGG-{layers} with normalisations.")


vgg11: Callable[..., VGG]
vgg13: Callable[..., VGG]
vgg16: Callable[..., VGG]
vgg19: Callable[..., VGG]
vgg11, vgg13, vgg16, vgg19 = (_constructor(layers) for layers in vgg_spec)
vgg11_bn: Callable[..., VGG]
vgg13_bn: Callable[..., VGG]
vgg16_bn: Callable[..., VGG]
vgg19_bn: Callable[..., VGG]
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (_normalised(layers) for layers in vgg_spec)
