"""AlexNet of ``mx.gluon.model_zoo.vision``."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, loaded

__all__ = ["AlexNet", "alexnet"]


class AlexNet(Network):
    """Five convolutions, three layers."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            with self.features.name_scope():
                self.features.add(
                    nn.Conv2D(64, 11, 4, 2, activation="relu"), nn.MaxPool2D(3, 2),
                    nn.Conv2D(192, 5, padding=2, activation="relu"), nn.MaxPool2D(3, 2),
                    nn.Conv2D(384, 3, padding=1, activation="relu"), nn.Conv2D(256, 3, padding=1, activation="relu"),
                    nn.Conv2D(256, 3, padding=1, activation="relu"), nn.MaxPool2D(3, 2), nn.Flatten(),
                    nn.Dense(4096, "relu"), nn.Dropout(0.5), nn.Dense(4096, "relu"), nn.Dropout(0.5),
                )  # fmt: skip
            self.output = nn.Dense(classes)


def alexnet(pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any) -> AlexNet:
    """Return an AlexNet."""
    return loaded(AlexNet(**kwargs), "alexnet", pretrained, ctx, root)
