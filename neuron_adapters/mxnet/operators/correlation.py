"""Windows taken apart and put together: the correlation of two feature maps, ``im2col`` and ``col2im``."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shape, one_dtype
from neuron_adapters.mxnet.operators.convolution import spatial


def floats(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """All inputs and outputs have one dtype, of floating-point numbers."""
    ins, outs = one_dtype(at, ins, count)
    if any(dtype is not None and not dtype.startswith("float") for dtype in ins):
        raise ValueError(f"it computes with floating-point numbers, got {ins[0]}; add a Cast")
    return ins, outs


class _Search:
    """Where a correlation looks: the windows of the first map, and the displacements of the second."""

    def __init__(self, at: Attributes, sizes: Shape) -> None:
        self.kernel, self.reach = at.integer("kernel_size", 1), at.integer("max_displacement", 1)
        self.stride, self.pad = at.integer("stride1", 1), at.integer("pad_size", 0)
        step = at.integer("stride2", 1)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"attribute kernel_size must be odd, got {self.kernel}")
        if min(self.stride, step) < 1 or min(self.reach, self.pad) < 0:
            raise ValueError("attributes stride1 and stride2 must be from 1, max_displacement and pad_size from 0")
        radius = self.reach // step
        self.displacements = [step * place for place in range(-radius, radius + 1)]
        border = self.reach + self.kernel // 2
        self.sizes = tuple(-(-(size + 2 * self.pad - 2 * border) // self.stride) for size in sizes)
        if min(self.sizes) < 1:
            raise ValueError(f"kernel and displacements must fit the padded data, which is {sizes} without")


def _correlated(at: Attributes, first: Shape, second: Shape) -> Shape:
    if len(first) != 4 or first != second:
        raise ValueError(f"data1 and data2 must have one shape of 4 axes, got {first} and {second}")
    search = _Search(at, first[2:])
    return (first[0], len(search.displacements) ** 2, *search.sizes)


@operator("Correlation", inputs=("data1", "data2"), shape=_correlated, dtypes=floats)
def _correlation(to: Builder, at: Attributes, first: Tensor, second: Tensor) -> Value:
    """A channel for each displacement: the mean over channels and window of the product, or of the distance."""
    search = _Search(at, first.shape[2:])
    rows, columns = (search.stride * (size - 1) + search.kernel for size in search.sizes)
    border = to.constant([0, 0, search.pad, search.pad] * 2)
    still, moved = (to.Pad(data, border, 0.0) if search.pad else data for data in (first, second))
    start = search.reach
    still = to.slice(to.slice(still, 2, start, start + rows), 3, start, start + columns)
    multiplied, planes = at.flag("is_multiply", default=True), []
    for down in search.displacements:
        strip = to.slice(moved, 2, start + down, start + down + rows)
        for across in search.displacements:
            other = to.slice(strip, 3, start + across, start + across + columns)
            both = to.Mul(still, other) if multiplied else to.Abs(to.Sub(still, other))
            planes.append(to.reduce("ReduceMean", both, [1]))
    result = to.Concat(*planes, axis=1) if len(planes) > 1 else planes[0]
    if search.kernel == search.stride == 1:
        return result
    strides = [search.stride] * 2
    return to.AveragePool(result, kernel_shape=[search.kernel] * 2, strides=strides, pads=[0] * 4, count_include_pad=1)


class Axis(NamedTuple):
    """How a window slides along one axis."""

    kernel: int
    stride: int
    dilate: int
    pad: int
    size: int
    """Of the data."""

    @property
    def places(self) -> int:
        """The number of places."""
        return (self.size + 2 * self.pad - self.dilate * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def reach(self) -> int:
        """What the windows at all places cover."""
        return self.stride * (self.places - 1) + self.dilate * (self.kernel - 1) + 1


def sliding(at: Attributes, sizes: Shape) -> list[Axis]:
    """Read the attributes that ``im2col`` and ``col2im`` share. Raises ValueError where a window does not fit."""
    kernel = at.integers("kernel")
    if len(kernel) != len(sizes) or not 1 <= len(kernel) <= 3:
        raise ValueError(f"attribute kernel must have a number for each of 1 to 3 spatial axes, got {kernel}")
    options = [spatial(at, name, len(kernel), default) for name, default in (("stride", 1), ("dilate", 1), ("pad", 0))]
    axes = [Axis(*numbers) for numbers in zip(kernel, *options, sizes)]
    if min((number for axis in axes for number in axis[:3]), default=0) < 1:
        raise ValueError("attributes kernel, stride and dilate must be from 1")
    if any(axis.places < 1 or axis.pad < 0 for axis in axes):
        raise ValueError(f"attribute kernel {kernel} must fit the padded data, which is {sizes} without")
    return axes


def _columns_shape(at: Attributes, data: Shape) -> Shape:
    axes = sliding(at, data[2:])
    return (data[0], data[1] * prod(axis.kernel for axis in axes), prod(axis.places for axis in axes))


@operator("im2col", shape=_columns_shape, dtypes=floats)
def _im2col(to: Builder, at: Attributes, data: Tensor) -> Value:
    """A column for each window, its numbers channel by channel."""
    axes = sliding(at, data.shape[2:])
    pads = [0, 0, *(axis.pad for axis in axes)]
    value = to.Pad(data, to.constant(pads * 2), 0.0) if any(pads) else data
    parts = []
    for place in np.ndindex(*(axis.kernel for axis in axes)):
        part = value
        for number, (offset, axis) in enumerate(zip(place, axes)):
            start = offset * axis.dilate
            part = to.slice(part, number + 2, start, start + axis.stride * (axis.places - 1) + 1, axis.stride)
        parts.append(to.reshape(part, [*data.shape[:2], 1, to.outputs[0].shape[2]]))
    return to.reshape(to.Concat(*parts, axis=2), to.outputs[0].shape)


def _picture_shape(at: Attributes, data: Shape) -> Shape:
    axes = sliding(at, at.integers("output_size"))
    window, places = prod(axis.kernel for axis in axes), prod(axis.places for axis in axes)
    if len(data) != 3 or data[1] % window or data[2] != places:
        raise ValueError(f"data must be (batch, channels times {window}, {places}), got {data}")
    return (data[0], data[1] // window, *(axis.size for axis in axes))


@operator("col2im", shape=_picture_shape, dtypes=floats)
def _col2im(to: Builder, at: Attributes, data: Tensor) -> Value:
    """The sum of all windows, each in its place."""
    batch, channels, *sizes = to.outputs[0].shape
    axes = sliding(at, tuple(sizes))
    kernel = [axis.kernel for axis in axes]
    window = prod(kernel)
    each = np.tile(np.eye(window), (channels, 1)).reshape(channels * window, 1, *kernel)
    # What no window reaches at the end is zero.
    after = [axis.reach - axis.pad - axis.size for axis in axes]
    return to.ConvTranspose(
        to.reshape(data, [batch, channels * window, *(axis.places for axis in axes)]),
        to.constant(each, data.dtype),
        kernel_shape=kernel,
        strides=[axis.stride for axis in axes],
        dilations=[axis.dilate for axis in axes],
        pads=[*(axis.pad for axis in axes), *(max(size, 0) for size in after)],
        output_padding=[max(-size, 0) for size in after],
        group=channels,
    )
