"""ResNets of ``mx.gluon.model_zoo.vision``, versions 1 and 2."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, chain, loaded, named

__all__ = [
    "BasicBlockV1", "BasicBlockV2", "BottleneckV1", "BottleneckV2", "ResNetV1", "ResNetV2", "get_resnet",
    "resnet18_v1", "resnet18_v2", "resnet34_v1", "resnet34_v2", "resnet50_v1", "resnet50_v2", "resnet101_v1",
    "resnet101_v2", "resnet152_v1", "resnet152_v2",
]  # fmt: skip


def _conv3x3(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(channels, 3, stride, 1, use_bias=False, in_channels=in_channels)


def _projection(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(channels, 1, stride, use_bias=False, in_channels=in_channels)


class _BlockV1(HybridBlock):
    """A body, plus its input."""

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.body = self._body(channels, stride, in_channels)
        self.downsample: nn.HybridSequential | None = None
        if downsample:
            self.downsample = chain(_projection(channels, stride, in_channels), nn.BatchNorm())

    def _body(self, channels: int, stride: int, in_channels: int) -> nn.HybridSequential:
        raise NotImplementedError

    def _sum(self, x: Any, residual: Any) -> Any:
        return x + residual

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Add, and activate."""
        out = self.body(x)
        residual = x if self.downsample is None else self.downsample(x)
        return F.Activation(self._sum(out, residual), act_type="relu")


class BasicBlockV1(_BlockV1):
    """Two convolutions."""

    def _body(self, channels: int, stride: int, in_channels: int) -> nn.HybridSequential:
        return chain(
            _conv3x3(channels, stride, in_channels), nn.BatchNorm(), nn.Activation("relu"),
            _conv3x3(channels, 1, channels), nn.BatchNorm(),
        )  # fmt: skip

    def _sum(self, x: Any, residual: Any) -> Any:
        return residual + x


class BottleneckV1(_BlockV1):
    """Three convolutions, the middle one of fewer channels."""

    def _body(self, channels: int, stride: int, in_channels: int) -> nn.HybridSequential:  # noqa: ARG002
        inner = channels // 4
        return chain(
            nn.Conv2D(inner, 1, stride), nn.BatchNorm(), nn.Activation("relu"),
            _conv3x3(inner, 1, inner), nn.BatchNorm(), nn.Activation("relu"),
            nn.Conv2D(channels, 1, 1), nn.BatchNorm(),
        )  # fmt: skip


class _BlockV2(HybridBlock):
    """Convolutions, each after a normalisation and an activation, plus the input."""

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._count = self._add_convolutions(channels, stride, in_channels)
        self.downsample = _projection(channels, stride, in_channels) if downsample else None

    def _add_convolutions(self, channels: int, stride: int, in_channels: int) -> int:
        raise NotImplementedError

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Compute both, and add."""
        residual = x
        for number in range(1, self._count + 1):
            x = F.Activation(getattr(self, f"bn{number}")(x), act_type="relu")
            if number == 1 and self.downsample is not None:
                residual = self.downsample(x)
            x = getattr(self, f"conv{number}")(x)
        return x + residual


class BasicBlockV2(_BlockV2):
    """Two convolutions."""

    bn1: nn.BatchNorm
    bn2: nn.BatchNorm
    conv1: nn.Conv2D
    conv2: nn.Conv2D

    def _add_convolutions(self, channels: int, stride: int, in_channels: int) -> int:
        self.bn1, self.conv1 = nn.BatchNorm(), _conv3x3(channels, stride, in_channels)
        self.bn2, self.conv2 = nn.BatchNorm(), _conv3x3(channels, 1, channels)
        return 2


class BottleneckV2(_BlockV2):
    """Three convolutions, the middle one of fewer channels."""

    bn1: nn.BatchNorm
    bn2: nn.BatchNorm
    bn3: nn.BatchNorm
    conv1: nn.Conv2D
    conv2: nn.Conv2D
    conv3: nn.Conv2D

    def _add_convolutions(self, channels: int, stride: int, in_channels: int) -> int:  # noqa: ARG002
        inner = channels // 4
        self.bn1, self.conv1 = nn.BatchNorm(), nn.Conv2D(inner, 1, 1, use_bias=False)
        self.bn2, self.conv2 = nn.BatchNorm(), _conv3x3(inner, stride, inner)
        self.bn3, self.conv3 = nn.BatchNorm(), nn.Conv2D(channels, 1, 1, use_bias=False)
        return 3


class _ResNet(Network):
    def _add_stem(self, channels: int, thumbnail: bool) -> None:
        if thumbnail:
            self.features.add(_conv3x3(channels, 1, 0))
        else:
            self.features.add(
                nn.Conv2D(channels, 7, 2, 3, use_bias=False), nn.BatchNorm(), nn.Activation("relu"),
                nn.MaxPool2D(3, 2, 1),
            )  # fmt: skip

    def _add_stages(self, block: type[HybridBlock], layers: list[int], channels: list[int]) -> None:
        if len(layers) != len(channels) - 1:
            raise MXNetError(f"channels has one number more than layers, got {channels} and {layers}.")
        for place, count in enumerate(layers):
            self.features.add(
                self._make_layer(block, count, channels[place + 1], 1 if place == 0 else 2, place + 1, channels[place])
            )

    def _make_layer(
        self, block: Any, layers: int, channels: int, stride: int, stage_index: int, in_channels: int = 0
    ) -> nn.HybridSequential:
        stage = nn.HybridSequential(prefix=f"stage{stage_index}_")
        with stage.name_scope():
            stage.add(block(channels, stride, channels != in_channels, in_channels=in_channels, prefix=""))
            for _ in range(layers - 1):
                stage.add(block(channels, 1, False, in_channels=channels, prefix=""))
        return stage


class ResNetV1(_ResNet):
    """Deep residual learning."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(
        self, block: type[HybridBlock], layers: list[int], channels: list[int], classes: int = 1000,
        thumbnail: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.Dense(classes, in_units=channels[-1])


class ResNetV2(_ResNet):
    """Identity mappings in deep residual networks."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(
        self, block: type[HybridBlock], layers: list[int], channels: list[int], classes: int = 1000,
        thumbnail: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = chain(nn.BatchNorm(scale=False, center=False))
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes, in_units=channels[-1])


_BASIC, _WIDE = [64, 64, 128, 256, 512], [64, 256, 512, 1024, 2048]
resnet_spec: dict[int, tuple[str, list[int], list[int]]] = {
    18: ("basic_block", [2, 2, 2, 2], _BASIC), 34: ("basic_block", [3, 4, 6, 3], _BASIC),
    50: ("bottle_neck", [3, 4, 6, 3], _WIDE), 101: ("bottle_neck", [3, 4, 23, 3], _WIDE),
    152: ("bottle_neck", [3, 8, 36, 3], _WIDE),
}  # fmt: skip
resnet_net_versions: list[Any] = [ResNetV1, ResNetV2]
resnet_block_versions: list[dict[str, Any]] = [
    {"basic_block": BasicBlockV1, "bottle_neck": BottleneckV1},
    {"basic_block": BasicBlockV2, "bottle_neck": BottleneckV2},
]


def get_resnet(
    version: int, num_layers: int, pretrained: bool = False, ctx: Context | None = None, root: str | None = None,
    **kwargs: Any,
) -> Network:  # fmt: skip
    """Return a ResNet of ``version`` 1 or 2. Raises MXNetError for another, or for a number of layers that it lacks."""
    if num_layers not in resnet_spec or version not in (1, 2):
        raise MXNetError(f"ResNets of version 1 or 2 have {list(resnet_spec)} layers, got {version}, {num_layers}.")
    kind, layers, channels = resnet_spec[num_layers]
    block = resnet_block_versions[version - 1][kind]
    network: Network = resnet_net_versions[version - 1](block, layers, channels, **kwargs)
    return loaded(network, f"resnet{num_layers}_v{version}", pretrained, ctx, root)


def _constructor(version: int, layers: int) -> Any:
    text = f"Return a ResNet-{layers} of version {version}."
    return named(f"resnet{layers}_v{version}", functools.partial(get_resnet, version, layers), text)


resnet18_v1: Callable[..., Network]
resnet34_v1: Callable[..., Network]
resnet50_v1: Callable[..., Network]
resnet101_v1: Callable[..., Network]
resnet152_v1: Callable[..., Network]
resnet18_v1, resnet34_v1, resnet50_v1, resnet101_v1, resnet152_v1 = (_constructor(1, layers) for layers in resnet_spec)
resnet18_v2: Callable[..., Network]
resnet34_v2: Callable[..., Network]
resnet50_v2: Callable[..., Network]
resnet101_v2: Callable[..., Network]
resnet152_v2: Callable[..., Network]
resnet18_v2, resnet34_v2, resnet50_v2, resnet101_v2, resnet152_v2 = (_constructor(2, layers) for layers in resnet_spec)
