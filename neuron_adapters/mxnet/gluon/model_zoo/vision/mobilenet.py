"""MobileNets of ``mx.gluon.model_zoo.vision``, versions 1 and 2."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon import nn
from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.model_zoo.vision._common import Network, loaded, named

__all__ = [
    "MobileNet", "MobileNetV2", "get_mobilenet", "get_mobilenet_v2", "mobilenet0_5", "mobilenet0_25", "mobilenet0_75",
    "mobilenet1_0", "mobilenet_v2_0_5", "mobilenet_v2_0_25", "mobilenet_v2_0_75", "mobilenet_v2_1_0",
]  # fmt: skip


class RELU6(HybridBlock):
    """ReLU, up to 6."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Activate."""
        return F.clip(x, 0, 6, name="relu6")


def _add_conv(
    out: nn.HybridSequential, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, groups: int = 1,
    active: bool = True, relu6: bool = False,
) -> None:  # fmt: skip
    out.add(nn.Conv2D(channels, kernel, stride, pad, groups=groups, use_bias=False), nn.BatchNorm())
    if active:
        out.add(RELU6() if relu6 else nn.Activation("relu"))


class LinearBottleneck(HybridBlock):
    """More channels, each convolved by itself, and fewer channels again."""

    use_shortcut: bool
    out: nn.HybridSequential

    def __init__(self, in_channels: int, channels: int, t: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_shortcut = stride == 1 and in_channels == channels
        inner = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            _add_conv(self.out, inner, relu6=True)
            _add_conv(self.out, inner, 3, stride, 1, inner, relu6=True)
            _add_conv(self.out, channels, active=False)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Compute; add the input where it has that shape."""
        out = self.out(x)
        return F.elemwise_add(out, x) if self.use_shortcut else out


class MobileNet(Network):
    """Each channel is convolved by itself, and then all by 1 x 1."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        widths = [int(width * multiplier) for width in [32, 64, *[128] * 2, *[256] * 2, *[512] * 6, *[1024] * 2]]
        strides = [1, 2] * 3 + [1] * 5 + [2, 1]
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            with self.features.name_scope():
                _add_conv(self.features, widths[0], 3, 2, 1)
                for before, after, stride in zip(widths, widths[1:], strides):
                    _add_conv(self.features, before, 3, stride, 1, before)
                    _add_conv(self.features, after)
                self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)


class MobileNetV2(Network):
    """Linear bottlenecks."""

    features: nn.HybridSequential
    output: HybridBlock

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        plan = [32, 16, *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320]
        widths = [int(width * multiplier) for width in plan]
        strides = [1, 2] * 2 + [1, 1, 2] + [1] * 6 + [2] + [1] * 3
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                _add_conv(self.features, widths[0], 3, 2, 1, relu6=True)
                for before, after, expansion, stride in zip(widths, widths[1:], [1] + [6] * 16, strides):
                    self.features.add(LinearBottleneck(before, after, expansion, stride))
                _add_conv(self.features, int(1280 * max(multiplier, 1.0)), relu6=True)
                self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())


def _suffix(multiplier: float) -> str:
    return {1.0: "1.0", 0.5: "0.5"}.get(multiplier, f"{multiplier:.2f}")


def get_mobilenet(
    multiplier: float, pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> MobileNet:
    """Return a MobileNet; ``multiplier``: of its channels."""
    return loaded(MobileNet(multiplier, **kwargs), f"mobilenet{_suffix(multiplier)}", pretrained, ctx, root)


def get_mobilenet_v2(
    multiplier: float, pretrained: bool = False, ctx: Context | None = None, root: str | None = None, **kwargs: Any
) -> MobileNetV2:
    """Return a MobileNetV2; ``multiplier``: of its channels."""
    return loaded(MobileNetV2(multiplier, **kwargs), f"mobilenetv2_{_suffix(multiplier)}", pretrained, ctx, root)


def _constructor(start: str, get: Any, multiplier: float) -> Any:
    name = start + _suffix(multiplier).replace(".", "_")
    return named(name, functools.partial(get, multiplier), f"Return one with {multiplier} times the channels.")


_MULTIPLIERS = (1.0, 0.75, 0.5, 0.25)
mobilenet1_0: Callable[..., MobileNet]
mobilenet0_75: Callable[..., MobileNet]
mobilenet0_5: Callable[..., MobileNet]
mobilenet0_25: Callable[..., MobileNet]
mobilenet1_0, mobilenet0_75, mobilenet0_5, mobilenet0_25 = (
    _constructor("mobilenet", get_mobilenet, multiplier) for multiplier in _MULTIPLIERS
)
mobilenet_v2_1_0: Callable[..., MobileNetV2]
mobilenet_v2_0_75: Callable[..., MobileNetV2]
mobilenet_v2_0_5: Callable[..., MobileNetV2]
mobilenet_v2_0_25: Callable[..., MobileNetV2]
mobilenet_v2_1_0, mobilenet_v2_0_75, mobilenet_v2_0_5, mobilenet_v2_0_25 = (
    _constructor("mobilenet_v2_", get_mobilenet_v2, multiplier) for multiplier in _MULTIPLIERS
)
