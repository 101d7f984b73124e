"""Pooling."""

from __future__ import annotations

from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, rank_at_least
from neuron_adapters.mxnet.operators.convolution import channel_last, spatial, to_back, to_front
from neuron_adapters.mxnet.operators.elementwise import cube_root


class _Window:
    """How the windows lie on ``sizes``, the spatial ones of the data."""

    def __init__(self, at: Attributes, sizes: Shape) -> None:
        rank = len(sizes)
        self.all = at.flag("global_pool", default=False)
        self.kernel = sizes if self.all else spatial(at, "kernel", rank, 0)
        self.stride = (1,) * rank if self.all else spatial(at, "stride", rank, 1)
        pad = (0,) * rank if self.all else spatial(at, "pad", rank, 0)
        convention = at.choice("pooling_convention", ("valid", "full", "same"), "valid")
        self.before, after, outputs = list(pad), [], []
        for size, window, step, border in zip(sizes, self.kernel, self.stride, pad):
            if not 0 < window <= size + 2 * border:
                raise ValueError(f"attribute kernel {self.kernel} must fit the padded data, which is {sizes} without")
            room = size + 2 * border - window
            count = -(-room // step) + 1 if convention == "full" else room // step + 1
            if convention == "same":
                count = -(-(size + 2 * border) // step)
            outputs.append(count)
            # The last window may reach further than the padding, or end before it.
            after.append(max(0, (count - 1) * step + window - size - border))
        self.after, self.sizes = after, tuple(outputs)


def _pooled_shape(at: Attributes, data: Shape) -> Shape:
    rank_at_least(3, data)
    if channel_last(at):
        return (data[0], *_Window(at, data[1:-1]).sizes, data[-1])
    return (*data[:2], *_Window(at, data[2:]).sizes)


@operator("Pooling", "Pooling_v1", shape=_pooled_shape)
def _pooling(to: Builder, at: Attributes, data: Tensor) -> Value:
    rank = len(data.shape) - 2
    if channel_last(at):
        sizes = data.shape[1:-1]
        return to_back(to, _pool(to, at, to_front(to, data, rank), sizes), rank)
    return _pool(to, at, data, data.shape[2:])


def _pool(to: Builder, at: Attributes, data: Value, sizes: Shape) -> Value:
    window = _Window(at, sizes)
    kind = at.choice("pool_type", ("max", "avg", "sum", "lp"), "max")
    if window.all and kind != "lp":
        axes = list(range(2, 2 + len(sizes)))
        return to.reduce({"max": "ReduceMax", "avg": "ReduceMean", "sum": "ReduceSum"}[kind], data, axes)
    how = {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": [*window.before, *window.after],
    }
    if kind == "max":
        return to.MaxPool(data, **how)
    if kind == "avg":
        if not at.flag("count_include_pad", default=True):
            return to.AveragePool(data, count_include_pad=0, **how)
        # Padding counts, what lies beyond it does not.
        factors = prod(window.kernel) / _counts(window, sizes)
        mean = to.AveragePool(data, count_include_pad=1, **how)
        return mean if np.all(factors == 1) else to.Mul(mean, to.constant(factors, data.dtype))
    power = at.integer("p_value", 2) if kind == "lp" else 1
    if power not in (1, 2, 3):
        raise ValueError(f"attribute p_value must be 1, 2 or 3, got {power}")
    # Not of magnitudes: an odd power keeps its sign, in MXNet.
    size = data if power == 1 else to.Pow(data, float(power))
    total = to.Mul(to.AveragePool(size, count_include_pad=1, **how), float(prod(window.kernel)))
    return total if power == 1 else to.Sqrt(total) if power == 2 else cube_root(to, total)


def _counts(window: _Window, sizes: Shape) -> Array:
    """Count the elements of the padded data that each window covers."""
    counts = np.ones((1, 1, *window.sizes))
    for axis, (size, pad, count) in enumerate(zip(sizes, window.before, window.sizes)):
        starts = np.arange(count) * window.stride[axis] - pad
        covered = np.minimum(starts + window.kernel[axis], size + pad) - starts
        counts *= covered.reshape([-1 if place == axis + 2 else 1 for place in range(counts.ndim)])
    return counts
