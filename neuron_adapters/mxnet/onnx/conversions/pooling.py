"""Pooling: windows that slide, the whole picture, and regions of interest."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Size
from neuron_adapters.mxnet.onnx.conversions._padding import ones, padded, pads
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol


class _Window:
    def __init__(self, call: Call) -> None:
        self.kernel = tuple(call.integers("kernel_shape") or ())
        rank = len(self.kernel)
        if any(step != 1 for step in ones(call, "dilations", rank)):
            call.refuse("dilations have no counterpart in MXNet: replace the layer.")
        self.strides = ones(call, "strides", rank)
        self.before, self.behind = pads(call, self.kernel, self.strides, (1,) * rank)
        self.full = bool(call.attribute("ceil_mode", 0))

    def how(self, *, inner: bool) -> dict[str, Any]:
        """Return the attributes of MXNet's operator. ``inner``: the padding is a node of its own."""
        pad = (0,) * len(self.kernel) if inner else self.before
        convention = "full" if self.full else "valid"
        return {"kernel": self.kernel, "stride": self.strides, "pad": pad, "pooling_convention": convention}

    def cut(self, call: Call, x: Symbol, name: str | None) -> Symbol:
        """Drop windows that begin behind the data and its padding in front, which MXNet keeps and ONNX does not."""
        if not self.full:
            return x
        ends: list[int | None] = [None, None]
        for axis, (window, stride, front, back) in enumerate(zip(self.kernel, self.strides, self.before, self.behind)):
            size = call.shape()[axis + 2]
            if isinstance(size, Size):
                if front or back or stride > window:
                    call.refuse(
                        f"ceil_mode depends on the size of axis {axis + 2}: export the model with fixed shapes."
                    )
                ends.append(None)
                continue
            count = -(-(size + front + back - window) // stride) + 1
            ends.append(-1 if (count - 1) * stride >= size + front else None)
        if not any(ends):
            return x
        return sym.slice(x, begin=(None,) * len(ends), end=tuple(ends), name=name)


@converts("MaxPool")
def _max(call: Call) -> Symbol:
    window, x = _Window(call), call.tensor(0)
    inner = window.before != window.behind
    if inner:  # numbers at the edge are in each window that reaches beyond it
        x = padded(x, (0, 0, *window.before), (0, 0, *window.behind), "edge")
    pooled = sym.Pooling(x, pool_type="max", name=call.name, **window.how(inner=inner))
    return window.cut(call, pooled, None)


@converts("AveragePool")
def _mean(call: Call) -> Symbol:
    window, x = _Window(call), call.tensor(0)
    counted = bool(call.attribute("count_include_pad", 0))
    inner = window.before != window.behind
    how = window.how(inner=inner)
    if not inner:
        pooled = sym.Pooling(x, pool_type="avg", count_include_pad=counted, name=call.name, **how)
        return window.cut(call, pooled, None)
    if window.full:
        call.refuse("ceil_mode with padding that differs at the ends has no counterpart in MXNet: replace the layer.")
    around = ((0, 0, *window.before), (0, 0, *window.behind))
    pooled = sym.Pooling(padded(x, *around), pool_type="avg", **how)
    if counted:
        return sym.identity(pooled, name=call.name)
    share = sym.Pooling(padded(sym.ones_like(x), *around), pool_type="avg", **how)
    return sym.broadcast_div(pooled, share, name=call.name)


@converts("LpPool")
def _power(call: Call) -> Symbol:
    window, p = _Window(call), call.attribute("p", 2)
    inner = window.before != window.behind
    x = sym.abs(call.tensor(0))
    if inner:
        x = padded(x, (0, 0, *window.before), (0, 0, *window.behind))
    if p not in (1, 2, 3):
        call.refuse(f"p={p} has no counterpart in MXNet, which has 1, 2 and 3.")
    pooled = sym.Pooling(x, pool_type="lp", p_value=p, name=call.name, **window.how(inner=inner))
    return window.cut(call, pooled, None)


def _global(call: Call, kind: str) -> Symbol:
    kernel = (1,) * (len(call.shape()) - 2)
    return sym.Pooling(call.tensor(0), global_pool=True, kernel=kernel, pool_type=kind, name=call.name)


@converts("GlobalAveragePool")
def _global_mean(call: Call) -> Symbol:
    return _global(call, "avg")


@converts("GlobalMaxPool")
def _global_max(call: Call) -> Symbol:
    return _global(call, "max")


@converts("GlobalLpPool")
def _global_power(call: Call) -> Symbol:
    p = call.attribute("p", 2)
    axes = tuple(range(2, len(call.shape())))
    total = sym.sum(sym._power_scalar(sym.abs(call.tensor(0)), scalar=float(p)), axis=axes, keepdims=True)
    return sym._power_scalar(total, scalar=1.0 / p, name=call.name)


@converts("MaxRoiPool")
def _max_regions(call: Call) -> Symbol:
    return sym.ROIPooling(
        call.tensor(0),
        call.tensor(1),
        pooled_size=tuple(call.integers("pooled_shape") or ()),
        spatial_scale=call.number("spatial_scale", 1.0),
        name=call.name,
    )


@converts("RoiAlign")
def _mean_regions(call: Call) -> Symbol:
    call.only("mode", "avg", why="export the model with mode=avg")
    default = "half_pixel" if call.opset >= 16 else "output_half_pixel"
    numbers = sym.expand_dims(sym.cast(call.tensor(2), dtype="float32"), axis=1)
    return sym._contrib_ROIAlign(
        call.tensor(0),
        sym.concat(numbers, call.tensor(1), dim=1),
        pooled_size=(call.attribute("output_height", 1), call.attribute("output_width", 1)),
        spatial_scale=call.number("spatial_scale", 1.0),
        sample_ratio=call.attribute("sampling_ratio", 0) or -1,
        aligned=call.attribute("coordinate_transformation_mode", default) == "half_pixel",
        name=call.name,
    )
