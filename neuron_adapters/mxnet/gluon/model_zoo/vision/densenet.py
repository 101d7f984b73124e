"""DenseNets of ``mx.gluon.model_zoo.vision``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.contrib.nn import HybridConcurrent, Identity
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, chain, loaded, named

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]


def _layer(growth: int, bottleneck: int, dropout: float) -> HybridBlock:
    new = chain(
        nn.BatchNorm(), nn.Activation("relu"), nn.Conv2D(bottleneck * growth, 1, use_bias=False), nn.BatchNorm(),
        nn.Activation("relu"), nn.Conv2D(growth, 3, padding=1, use_bias=False),
    )  # fmt: skip
    if dropout:
        new.add(nn.Dropout(dropout))
    both = HybridConcurrent(axis=1, prefix="")
    both.add(Identity(), new)
    return both


def _stage(number: int, layers: int, growth: int, bottleneck: int, dropout: float) -> HybridBlock:
    stage = nn.HybridSequential(prefix=f"stage{number}_")
    with stage.name_scope():
        for _ in range(layers):
            stage.add(_layer(growth, bottleneck, dropout))
    return stage


class DenseNet(Network):
    """Each layer gets the outputs of all before it."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(
        self, num_init_features: int, growth_rate: int, block_config: list[int], bn_size: int = 4, dropout: float = 0,
        classes: int = 1000, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = chain(
                nn.Conv2D(num_init_features, 7, 2, 3, use_bias=False), nn.BatchNorm(), nn.Activation("relu"),
                nn.MaxPool2D(3, 2, 1),
            )  # fmt: skip
            channels = num_init_features
            for place, layers in enumerate(block_config):
                self.features.add(_stage(place + 1, layers, growth_rate, bn_size, dropout))
                channels += layers * growth_rate
                if place != len(block_config) - 1:
                    channels //= 2
                    self.features.add(
                        chain(
                            nn.BatchNorm(),
                            nn.Activation("relu"),
                            nn.Conv2D(channels, 1, use_bias=False),
                            nn.AvgPool2D(2, 2),
                        )
                    )
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.AvgPool2D(7), nn.Flatten())
            self.output = nn.Dense(classes)


densenet_spec: dict[int, tuple[int, int, list[int]]] = {
    121: (64, 32, [6, 12, 24, 16]), 161: (96, 48, [6, 12, 36, 24]), 169: (64, 32, [6, 12, 32, 32]),
    201: (64, 32, [6, 12, 48, 32]),
}  # fmt: skip


def get_densenet(
    num_layers: int, pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> DenseNet:
    """Return a DenseNet of 121, 161, 169 or 201 layers."""
    first, growth, layers = densenet_spec[num_layers]
    return loaded(DenseNet(first, growth, layers, **kwargs), f"densenet{num_layers}", pretrained, ctx, root)


densenet121: Callable[..., DenseNet]
densenet161: Callable[..., DenseNet]
densenet169: Callable[..., DenseNet]
densenet201: Callable[..., DenseNet]
densenet121, densenet161, densenet169, densenet201 = (
    named(f"densenet{layers}", functools.partial(get_densenet, layers), f"Return a DenseNet-{layers}.")
    for layers in densenet_spec
)
