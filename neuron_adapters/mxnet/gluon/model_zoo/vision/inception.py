"""Inception version 3 of ``mx.gluon.model_zoo.vision``."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.contrib.nn import HybridConcurrent
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, chain, loaded

__all__ = ["Inception3", "inception_v3"]

#: Channels, kernel, stride, padding, of which the last ones may be missing.
Setting = tuple[Any, ...]


def _conv(channels: int, kernel: Any, stride: Any = 1, padding: Any = 0) -> HybridBlock:
    convolution = nn.Conv2D(channels, kernel, stride, padding, use_bias=False)
    return chain(convolution, nn.BatchNorm(epsilon=0.001), nn.Activation("relu"))


def _branch(*settings: Setting, first: HybridBlock | None = None) -> nn.HybridSequential:
    branch = nn.HybridSequential(prefix="")
    if first is not None:
        branch.add(first)
    for setting in settings:
        branch.add(_conv(*setting))
    return branch


def _beside(prefix: str = "") -> HybridConcurrent:
    return HybridConcurrent(axis=1, prefix=prefix)


def _averaged(channels: int) -> HybridBlock:
    return _branch((channels, 1), first=nn.AvgPool2D(3, 1, 1))


def _largest() -> HybridBlock:
    return _branch(first=nn.MaxPool2D(3, 2))


def _a(pooled: int, prefix: str) -> HybridBlock:
    parts = _beside(prefix)
    with parts.name_scope():
        parts.add(_branch((64, 1)))
        parts.add(_branch((48, 1), (64, 5, 1, 2)))
        parts.add(_branch((64, 1), (96, 3, 1, 1), (96, 3, 1, 1)))
        parts.add(_averaged(pooled))
    return parts


def _b(prefix: str) -> HybridBlock:
    parts = _beside(prefix)
    with parts.name_scope():
        parts.add(_branch((384, 3, 2)))
        parts.add(_branch((64, 1), (96, 3, 1, 1), (96, 3, 2)))
        parts.add(_largest())
    return parts


def _c(inner: int, prefix: str) -> HybridBlock:
    wide: Setting = ((1, 7), 1, (0, 3))
    tall: Setting = ((7, 1), 1, (3, 0))
    parts = _beside(prefix)
    with parts.name_scope():
        parts.add(_branch((192, 1)))
        parts.add(_branch((inner, 1), (inner, *wide), (192, *tall)))
        parts.add(_branch((inner, 1), (inner, *tall), (inner, *wide), (inner, *tall), (192, *wide)))
        parts.add(_averaged(192))
    return parts


def _d(prefix: str) -> HybridBlock:
    parts = _beside(prefix)
    with parts.name_scope():
        parts.add(_branch((192, 1), (320, 3, 2)))
        parts.add(_branch((192, 1), (192, (1, 7), 1, (0, 3)), (192, (7, 1), 1, (3, 0)), (192, 3, 2)))
        parts.add(_largest())
    return parts


def _split(*before: Setting) -> HybridBlock:
    branch = chain(_branch(*before))
    both = _beside()
    both.add(_branch((384, (1, 3), 1, (0, 1))), _branch((384, (3, 1), 1, (1, 0))))
    branch.add(both)
    return branch


def _e(prefix: str) -> HybridBlock:
    parts = _beside(prefix)
    with parts.name_scope():
        parts.add(_branch((320, 1)))
        parts.add(_split((384, 1)))
        parts.add(_split((448, 1), (384, 3, 1, 1)))
        parts.add(_averaged(192))
    return parts


class Inception3(Network):
    """Branches of several sizes, for pictures of 299 x 299."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = chain(
                _conv(32, 3, 2), _conv(32, 3), _conv(64, 3, 1, 1), nn.MaxPool2D(3, 2), _conv(80, 1), _conv(192, 3),
                nn.MaxPool2D(3, 2), _a(32, "A1_"), _a(64, "A2_"), _a(64, "A3_"), _b("B_"), _c(128, "C1_"),
                _c(160, "C2_"), _c(160, "C3_"), _c(192, "C4_"), _d("D_"), _e("E1_"), _e("E2_"), nn.AvgPool2D(8),
                nn.Dropout(0.5),
            )  # fmt: skip
            self.output = nn.Dense(classes)


def inception_v3(
    pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> Inception3:
    """Return an Inception of version 3."""
    return loaded(Inception3(**kwargs), "inceptionv3", pretrained, ctx, root)
