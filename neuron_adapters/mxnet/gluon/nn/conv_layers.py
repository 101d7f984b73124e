"""Convolutions and poolings of ``mx.gluon.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.gluon._hybrid import HybridBlock
from neuron_adapters.mxnet.gluon.nn.activations import Activation
from neuron_adapters.mxnet.gluon.parameter import Parameter

__all__ = [
    "AvgPool1D", "AvgPool2D", "AvgPool3D", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D",
    "Conv3DTranspose", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D", "GlobalMaxPool2D",
    "GlobalMaxPool3D", "MaxPool1D", "MaxPool2D", "MaxPool3D", "ReflectionPad2D",
]  # fmt: skip

Size = int | Sequence[int]

#: The layouts of convolutions, and of poolings, of one to three axes.
_CONVOLVED = {1: ("NCW",), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
_POOLED = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def _sizes(what: str, value: Size, axes: int) -> tuple[int, ...]:
    sizes = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(sizes) != axes:
        raise MXNetError(f"{what} must be a number or a list of {axes} ints, got {value!r}.")
    return sizes


def _check_layout(layout: str, layouts: Sequence[str]) -> None:
    if layout not in layouts:
        raise MXNetError(f"Only supports {' and '.join(map(repr, layouts))} layout for now, got {layout!r}.")


def _described(options: dict[str, Any], weight: Parameter, bias: Parameter | None, act: Activation | None) -> str:
    """Return what is printed of a convolution."""
    shape = weight.shape or (0, 0)
    text = f"{shape[1] or None} -> {shape[0]}, kernel_size={options['kernel']}, stride={options['stride']}"
    if any(options["pad"]):
        text += f", padding={options['pad']}"
    if any(size != 1 for size in options["dilate"]):
        text += f", dilation={options['dilate']}"
    if options["num_group"] != 1:
        text += f", groups={options['num_group']}"
    text += "" if bias is not None else ", bias=False"
    return text + (f", {act}" if act is not None else "")


class _Conv(HybridBlock):
    """A convolution of ``_axes`` axes; what derives from it says which."""

    _axes = 2
    _operator = "Convolution"
    weight: Parameter
    bias: Parameter | None
    act: Activation | None

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        layout: str | None = None,
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        op_name: str | None = None,
        adj: Size | None = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        axes, layouts = self._axes, _CONVOLVED[self._axes]
        layout = layouts[0] if layout is None else layout
        _check_layout(layout, layouts)
        self._channels, self._in_channels = channels, in_channels
        self._op_name = op_name or self._operator
        self._kwargs: dict[str, Any] = {
            "kernel": _sizes("kernel_size", kernel_size, axes), "stride": _sizes("strides", strides, axes),
            "dilate": _sizes("dilation", dilation, axes), "pad": _sizes("padding", padding, axes),
            "num_filter": channels, "num_group": groups, "no_bias": not use_bias, "layout": layout,
        }  # fmt: skip
        if adj is not None:
            self._kwargs["adj"] = _sizes("output_padding", adj, axes)
        with self.name_scope():
            self.weight = self.params.get(
                "weight", shape=self._weight_shape(layout), init=weight_initializer, allow_deferred_init=True
            )
            self.bias: Parameter | None = None
            if use_bias:
                self.bias = self.params.get("bias", shape=(channels,), init=bias_initializer, allow_deferred_init=True)
            self.act = Activation(activation, prefix=f"{activation}_") if activation is not None else None

    def _weight_shape(self, layout: str) -> tuple[int, ...]:
        kernel, groups = self._kwargs["kernel"], self._kwargs["num_group"]
        first, second = self._channels, self._in_channels // groups
        if self._operator == "Deconvolution":
            first, second = self._in_channels, self._channels // groups
        return (first, *kernel, second) if layout.endswith("C") else (first, second, *kernel)

    def _alias(self) -> str:
        return "conv"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """Convolve, add, activate."""
        inputs = (x, weight) if bias is None else (x, weight, bias)
        out = getattr(F, self._op_name)(*inputs, name="fwd", **self._kwargs)
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_described(self._kwargs, self.weight, self.bias, self.act)})"


class Conv1D(_Conv):
    """Convolution of (batch, channels, width)."""

    _axes = 1


class Conv2D(_Conv):
    """Convolution of (batch, channels, height, width)."""


class Conv3D(_Conv):
    """Convolution of (batch, channels, depth, height, width)."""

    _axes = 3


class _Transposed(_Conv):
    """A transposed convolution."""

    outpad: tuple[int, ...]

    _operator = "Deconvolution"

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        layout: str | None = None,
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
            weight_initializer, bias_initializer, in_channels, adj=output_padding, **kwargs,
        )  # fmt: skip
        self.outpad = self._kwargs["adj"]


class Conv1DTranspose(_Transposed):
    """Transposed convolution of (batch, channels, width)."""

    _axes = 1


class Conv2DTranspose(_Transposed):
    """Transposed convolution of (batch, channels, height, width)."""


class Conv3DTranspose(_Transposed):
    """Transposed convolution of (batch, channels, depth, height, width)."""

    _axes = 3


class _Pooling(HybridBlock):
    def __init__(
        self,
        axes: int,
        kind: str,
        pool_size: Size,
        strides: Size | None,
        padding: Size,
        ceil_mode: bool,
        layout: str,
        *,
        everywhere: bool = False,
        include_pad: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_layout(layout, _POOLED[axes])
        kernel = _sizes("pool_size", pool_size, axes)
        self._kwargs: dict[str, Any] = {
            "kernel": kernel, "stride": kernel if strides is None else _sizes("strides", strides, axes),
            "pad": _sizes("padding", padding, axes), "global_pool": everywhere, "pool_type": kind, "layout": layout,
            "pooling_convention": "full" if ceil_mode else "valid",
        }  # fmt: skip
        if include_pad is not None:
            self._kwargs["count_include_pad"] = include_pad

    def _alias(self) -> str:
        return "pool"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Pool."""
        return F.Pooling(x, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return (
            "{}(size={kernel}, stride={stride}, padding={pad}, ceil_mode={}, global_pool={global_pool}, "
            "pool_type={pool_type}, layout={layout})"
        ).format(type(self).__name__, self._kwargs["pooling_convention"] == "full", **self._kwargs)


class MaxPool1D(_Pooling):
    """The largest of each window of (batch, channels, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, layout: str = "NCW",
        ceil_mode: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(1, "max", pool_size, strides, padding, ceil_mode, layout, **kwargs)


class MaxPool2D(_Pooling):
    """The largest of each window of (batch, channels, height, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, layout: str = "NCHW",
        ceil_mode: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(2, "max", pool_size, strides, padding, ceil_mode, layout, **kwargs)


class MaxPool3D(_Pooling):
    """The largest of each window of (batch, channels, depth, height, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
        layout: str = "NCDHW", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(3, "max", pool_size, strides, padding, ceil_mode, layout, **kwargs)


class AvgPool1D(_Pooling):
    """The mean of each window of (batch, channels, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, layout: str = "NCW",
        ceil_mode: bool = False, count_include_pad: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            1, "avg", pool_size, strides, padding, ceil_mode, layout, include_pad=count_include_pad, **kwargs
        )


class AvgPool2D(_Pooling):
    """The mean of each window of (batch, channels, height, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
        layout: str = "NCHW", count_include_pad: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            2, "avg", pool_size, strides, padding, ceil_mode, layout, include_pad=count_include_pad, **kwargs
        )


class AvgPool3D(_Pooling):
    """The mean of each window of (batch, channels, depth, height, width)."""

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
        layout: str = "NCDHW", count_include_pad: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            3, "avg", pool_size, strides, padding, ceil_mode, layout, include_pad=count_include_pad, **kwargs
        )


class _Global(_Pooling):
    _of: tuple[int, str] = (2, "avg")

    def __init__(self, layout: str | None = None, **kwargs: Any) -> None:
        axes, kind = self._of
        super().__init__(axes, kind, 1, None, 0, True, layout or _POOLED[axes][0], everywhere=True, **kwargs)


class GlobalMaxPool1D(_Global):
    """The largest of each channel."""

    _of = (1, "max")


class GlobalMaxPool2D(_Global):
    """The largest of each channel."""

    _of = (2, "max")


class GlobalMaxPool3D(_Global):
    """The largest of each channel."""

    _of = (3, "max")


class GlobalAvgPool1D(_Global):
    """The mean of each channel."""

    _of = (1, "avg")


class GlobalAvgPool2D(_Global):
    """The mean of each channel."""


class GlobalAvgPool3D(_Global):
    """The mean of each channel."""

    _of = (3, "avg")


class ReflectionPad2D(HybridBlock):
    """A mirrored rim."""

    def __init__(self, padding: Size = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._padding = (0,) * 4 + (padding,) * 4 if isinstance(padding, int) else tuple(padding)
        if len(self._padding) != 8:
            raise MXNetError(f"padding is a number, or 8 of them, got {padding!r}.")

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Add it."""
        return F.pad(x, mode="reflect", pad_width=self._padding)
