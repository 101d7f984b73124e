"""Deformable convolutions: where each window reads is computed by another convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuron_adapters.mxnet.gluon.block import HybridBlock
from neuron_adapters.mxnet.gluon.nn import Activation
from neuron_adapters.mxnet.gluon.nn.conv_layers import _CONVOLVED, _check_layout, _described, _sizes
from neuron_adapters.mxnet.gluon.parameter import Parameter

__all__ = ["DeformableConvolution", "ModulatedDeformableConvolution"]

Size = int | Sequence[int]


class DeformableConvolution(HybridBlock):
    """Version 1: each point of a window is moved."""

    #: Numbers that say where a point is read, and how much it counts.
    _numbers = 2
    act: Activation | None
    _order: tuple[str, ...] = ("offset_weight", "offset_bias", "deformable_conv_weight", "deformable_conv_bias")

    def __init__(
        self,
        channels: int,
        kernel_size: Size = (1, 1),
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        op_name: str | None = None,  # noqa: ARG002 - the class says it
        adj: Any = None,  # noqa: ARG002 - of transposed convolutions
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        _check_layout(layout, _CONVOLVED[2])
        kernel = _sizes("kernel_size", kernel_size, 2)
        common = {
            "kernel": kernel, "stride": _sizes("strides", strides, 2), "dilate": _sizes("dilation", dilation, 2),
            "pad": _sizes("padding", padding, 2), "num_group": groups, "layout": layout,
        }  # fmt: skip
        points = kernel[0] * kernel[1] * num_deformable_group
        self._split = 2 * points
        offsets = self._numbers * points
        self._kwargs_offset = {**common, "num_filter": offsets, "no_bias": not offset_use_bias}
        self._kwargs_deformable_conv = {
            **common, "num_filter": channels, "num_deformable_group": num_deformable_group, "no_bias": not use_bias,
        }  # fmt: skip
        inner = in_channels // groups
        parameters: dict[str, tuple[tuple[int, ...] | None, Any]] = {
            "offset_weight": ((offsets, inner, *kernel), offset_weight_initializer),
            "offset_bias": ((offsets,) if offset_use_bias else None, offset_bias_initializer),
            "deformable_conv_weight": ((channels, 0, *kernel), weight_initializer),
            "deformable_conv_bias": ((channels,) if use_bias else None, bias_initializer),
        }
        with self.name_scope():
            for name in self._order:
                self._add(name, *parameters[name])
            self.act = Activation(activation, prefix=f"{activation}_") if activation else None

    def _add(self, name: str, shape: tuple[int, ...] | None, init: Any) -> None:
        parameter: Parameter | None = None
        if shape is not None:
            parameter = self.params.get(name, shape=shape, init=init, allow_deferred_init=True)
        setattr(self, name, parameter)

    def _alias(self) -> str:
        return "deformable_conv"

    def __repr__(self) -> str:
        weight, bias = self._reg_params["deformable_conv_weight"], self._reg_params.get("deformable_conv_bias")
        return f"{type(self).__name__}({_described(self._kwargs_deformable_conv, weight, bias, self.act)})"

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """Compute where to read, and convolve."""
        offset = F.Convolution(x, offset_weight, offset_bias, cudnn_off=True, **self._kwargs_offset)
        out = self._deformed(F, x, offset, deformable_conv_weight, deformable_conv_bias)
        return out if self.act is None else self.act(out)

    def _deformed(self, F: Any, x: Any, offset: Any, weight: Any, bias: Any) -> Any:
        more = {} if bias is None else {"bias": bias}
        return F.contrib.DeformableConvolution(
            data=x, offset=offset, weight=weight, name="fwd", **more, **self._kwargs_deformable_conv
        )


class ModulatedDeformableConvolution(DeformableConvolution):
    """Version 2: each point of a window is moved, and weighed."""

    _numbers = 3
    _order = ("deformable_conv_weight", "deformable_conv_bias", "offset_weight", "offset_bias")

    def _alias(self) -> str:
        return "modulated_deformable_conv"

    def __repr__(self) -> str:
        return super(DeformableConvolution, self).__repr__()  # as MXNet prints it

    def _deformed(self, F: Any, x: Any, offset: Any, weight: Any, bias: Any) -> Any:
        moved = F.slice_axis(offset, axis=1, begin=0, end=self._split)
        mask = F.sigmoid(F.slice_axis(offset, axis=1, begin=self._split, end=None)) * 2
        more = {} if bias is None else {"bias": bias}
        return F.contrib.ModulatedDeformableConvolution(
            data=x, offset=moved, mask=mask, weight=weight, name="fwd", **more, **self._kwargs_deformable_conv
        )
