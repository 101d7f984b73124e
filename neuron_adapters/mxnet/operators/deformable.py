"""Convolutions that sample their input at learned offsets, of Deformable ConvNets v1 and v2."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shapes, unify
from neuron_adapters.mxnet.operators.convolution import _convolution_shapes, spatial


def _taps(at: Attributes) -> int:
    return prod(at.integers("kernel"))


def _deformable_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """The offsets have two numbers, and the mask one, for each place of the kernel and each place of the output."""
    at.only("layout", "NCHW", "other layouts are not supported")
    first = len(ins) - (1 if at.flag("no_bias", default=False) else 2)
    (data, *weights), outs = _convolution_shapes(at, [ins[0], *ins[first:]], outs)
    groups, out = at.integer("num_deformable_group", 1), outs[0]
    if out is not None:
        for place, factor in ((1, 2), (2, 1))[: first - 1]:
            ins[place] = unify(ins[place], (out[0], factor * groups * _taps(at), *out[2:]), "offset or mask")
    return [data, *ins[1:first], *weights], outs


def _names(*before: str) -> Callable[[Attributes], list[str]]:
    return lambda at: [*before, "weight"] + ([] if at.flag("no_bias", default=False) else ["bias"])


def _places(to: Builder, at: Attributes, data: Tensor, offset: Tensor, group: int) -> list[Value]:
    """Return the rows and columns that a deformable group samples: each (batch, taps, height, width)."""
    kernel, (batch, _channels, height, width) = at.integers("kernel"), offset.shape
    stride, dilate, pad = (spatial(at, *what) for what in (("stride", 2, 1), ("dilate", 2, 1), ("pad", 2, 0)))
    taps = prod(kernel)
    pairs = to.reshape(to.slice(offset, 1, group * 2 * taps, (group + 1) * 2 * taps), [batch, taps, 2, height, width])
    own = []
    for axis in (0, 1):
        tap = np.indices(kernel)[axis].reshape(taps, 1, 1) * dilate[axis]
        out = np.indices((height, width))[axis] * stride[axis] - pad[axis]
        own.append(to.Add(to.at(pairs, 2, axis), to.constant(tap + out, data.dtype)))
    return own


def _sampled(to: Builder, data: Value, rows: Value, columns: Value, sizes: tuple[int, int], out: list[int]) -> Value:
    """Sample ``data`` at (batch, taps, height, width) of rows and columns; 0 beyond the outermost points."""
    scaled = [
        to.unsqueeze(to.Sub(to.Mul(place, 2.0 / max(size - 1, 1)), 1.0), 4)
        for place, size in zip((columns, rows), reversed(sizes))
    ]
    batch, taps, height, width = out
    grid = to.reshape(to.Concat(*scaled, axis=4), [batch, taps * height, width, 2])
    return to.GridSample(data, grid, mode="bilinear", padding_mode="zeros", align_corners=1)


def _convolved(to: Builder, at: Attributes, data: Tensor, sampled: Value, weight: Tensor, bias: Value | None) -> Value:
    """Multiply what was sampled, (batch, channels, taps, height, width), by the weights."""
    batch, _filters, height, width = to.outputs[0].shape
    columns = to.reshape(sampled, [batch, data.shape[1] * _taps(at), height, width])
    filters = to.reshape(weight, [weight.shape[0], -1, 1, 1])
    return to.Conv(
        columns, filters, bias, kernel_shape=[1, 1], strides=[1, 1], dilations=[1, 1], pads=[0] * 4,
        group=at.integer("num_group", 1),
    )  # fmt: skip


def _deformed(
    to: Builder, at: Attributes, data: Tensor, offset: Tensor, weight: Tensor, bias: Value | None, mask: Value | None
) -> Value:
    groups, (batch, channels, *sizes) = at.integer("num_deformable_group", 1), data.shape
    if min(sizes) < 2:
        raise ValueError(f"data must have at least 2 rows and columns, got {sizes}")
    height, width = offset.shape[2:]
    taps, parts = _taps(at), to.split(data, 1, [channels // groups] * groups)
    samples = []
    for group, part in enumerate(parts):
        rows, columns = _places(to, at, data, offset, group)
        inside = to.And(*(_within(to, place, size, mask is None) for place, size in zip((rows, columns), sizes)))
        nothing = to.constant(0.0, data.dtype)
        rows, columns = (to.Where(inside, place, nothing) for place in (rows, columns))
        last = [to.GreaterOrEqual(place, float(size - 1)) for place, size in zip((rows, columns), sizes)]
        if mask is None:  # behind the last point everything is as at the point
            rows, columns = (to.Min(place, float(size - 1)) for place, size in zip((rows, columns), sizes))
        sample = _sampled(to, part, rows, columns, (sizes[0], sizes[1]), [batch, taps, height, width])
        sample = to.reshape(sample, [batch, channels // groups, taps, height, width])
        if mask is None:  # there MXNet adds the point once more, times 0: an infinity becomes NaN
            sample = to.Where(to.unsqueeze(to.Or(*last), 1), to.Add(sample, to.Mul(sample, 0.0)), sample)
        sample = to.Where(to.unsqueeze(inside, 1), sample, nothing)
        if mask is not None:
            sample = to.Mul(sample, to.unsqueeze(to.slice(mask, 1, group * taps, (group + 1) * taps), 1))
        samples.append(sample)
    joined = samples[0] if groups == 1 else to.Concat(*samples, axis=1)
    return _convolved(to, at, data, joined, weight, bias)


def _within(to: Builder, place: Value, size: int, older: bool) -> Value:
    """Whether something is sampled there: the newer form counts what is less than one point before the first, too."""
    first = to.GreaterOrEqual(place, 0.0) if older else to.Greater(place, -1.0)
    return to.And(first, to.Less(place, float(size)))


@operator("_contrib_DeformableConvolution", inputs=_names("data", "offset"), shapes=_deformable_shapes)
def _deformable(
    to: Builder, at: Attributes, data: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Value:
    return _deformed(to, at, data, offset, weight, bias, None)


@operator("_contrib_ModulatedDeformableConvolution", inputs=_names("data", "offset", "mask"), shapes=_deformable_shapes)
def _modulated(
    to: Builder, at: Attributes, data: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Value:
    return _deformed(to, at, data, offset, weight, bias, mask)
