"""Convolutions, forwards and transposed, pooling, and enlargement."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Array, Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    MaybeShape,
    Shape,
    Shapes,
    complete,
    numbered,
    rank_at_least,
    unify,
    with_bias,
)
from neuron_adapters.mxnet.operators.elementwise import cube_root

_LAYOUTS = ("NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC")


def spatial(at: Attributes, name: str, rank: int, default: int) -> tuple[int, ...]:
    """Read an attribute with a number for each spatial axis; ``default`` for all where it is left out or empty."""
    values = at.integers(name, ()) or (default,) * rank
    if len(values) != rank:
        raise ValueError(f"attribute {name} must have {rank} numbers, as kernel has, got {values}")
    return values


def channel_last(at: Attributes) -> bool:
    """Whether the layout has the channels at the end."""
    return at.choice("layout", _LAYOUTS, "NCHW").endswith("C")


def to_front(to: Builder, x: Value, rank: int) -> Value:
    """Move the channels from the last axis to the second, of ``rank`` spatial axes."""
    return to.transpose(x, [0, rank + 1, *range(1, rank + 1)])


def to_back(to: Builder, x: Value, rank: int) -> Value:
    """Move the channels from the second axis to the last."""
    return to.transpose(x, [0, *range(2, rank + 2), 1])


def _channels_first(shape: MaybeShape, last: bool) -> MaybeShape:
    return (shape[0], shape[-1], *shape[1:-1]) if last and shape is not None else shape


def _channels_back(shape: MaybeShape, last: bool) -> MaybeShape:
    return (shape[0], *shape[2:], shape[1]) if last and shape is not None else shape


def _data_of(shape: MaybeShape, rank: int, last: bool) -> MaybeShape:
    if shape is not None and len(shape) != rank + 2:
        raise ValueError(f"data must have {rank + 2} axes for a kernel of {rank}, got {len(shape)}")
    return _channels_first(shape, last)


def _convolution_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    kernel = at.integers("kernel")
    rank, filters, groups = len(kernel), at.integer("num_filter"), at.integer("num_group", 1)
    stride, dilate, pad = (spatial(at, *what) for what in (("stride", rank, 1), ("dilate", rank, 1), ("pad", rank, 0)))
    last = channel_last(at)
    data = _data_of(ins[0], rank, last)
    channels = 0 if data is None else data[1]
    if channels % groups or filters % groups:
        raise ValueError(f"attribute num_group ({groups}) must divide the channels ({channels}) and the filters")
    weight: MaybeShape = (filters, channels // groups, *kernel)
    ins[1] = unify(ins[1], _channels_back(weight, last), "weight")
    if len(ins) > 2:
        ins[2] = unify(ins[2], (filters,), "bias")
    if data is None:
        return ins, outs
    sizes = []
    for size, window, step, spread, border in zip(data[2:], kernel, stride, dilate, pad):
        room = size + 2 * border - (spread * (window - 1) + 1)
        if size and room < 0:
            raise ValueError(f"attribute kernel {kernel} is larger than the padded data {data[2:]}")
        sizes.append(room // step + 1 if size else 0)
    output = unify(outs[0], _channels_back((data[0], filters, *sizes), last), "output")
    known = _channels_first(output, last)
    if known is not None:  # the batch, and sizes where every place has a result, may be known from what comes after
        spans = [spread * (window - 1) + 1 - 2 * border for window, spread, border in zip(kernel, dilate, pad)]
        before = [
            size or (result + span - 1 if result and step == 1 else 0)
            for size, result, span, step in zip(data[2:], known[2:], spans, stride)
        ]
        ins[0] = _channels_back((data[0] or known[0], data[1], *before), last)
    return ins, [output]


@operator("Convolution", "Convolution_v1", inputs=with_bias(default_no_bias=False), shapes=_convolution_shapes)
def _convolution(to: Builder, at: Attributes, data: Tensor, weight: Tensor, bias: Tensor | None = None) -> Value:
    return convolve(to, at, data, weight, bias)


def convolve(to: Builder, at: Attributes, data: Value, weight: Value, bias: Value | None = None) -> Value:
    """Convolve, with the attributes of ``Convolution``."""
    kernel = at.integers("kernel")
    rank = len(kernel)
    last = channel_last(at)
    front: Value = to_front(to, data, rank) if last else data
    strides, pads = spatial(at, "stride", rank, 1), spatial(at, "pad", rank, 0)
    if max(kernel) == 1 and max(strides) > 1 and (any(pads) or not _is_rectified(to, front)):
        # OpenVINO moves the stride of such a kernel before what comes earlier, and forgets padding, also that of an
        # operator of its own, which it takes into the convolution. So the stride is a slice, behind all padding. Behind
        # a ReLU, which it takes into no convolution and never removes, its own form is right and faster.
        if any(pads):
            front = to.Pad(front, to.constant([0, 0, *pads] * 2))
        for axis, step in enumerate(strides):
            front = to.slice(front, axis + 2, 0, step=step) if step > 1 else front
        strides, pads = (1,) * rank, (0,) * rank
    output = to.Conv(
        front,
        to_front(to, weight, rank) if last else weight,
        bias,
        kernel_shape=list(kernel),
        strides=list(strides),
        dilations=list(spatial(at, "dilate", rank, 1)),
        pads=list(pads * 2),
        group=at.integer("num_group", 1),
    )
    return to_back(to, output, rank) if last else output


def _is_rectified(to: Builder, value: Value) -> bool:
    return any(node.op == "Relu" and value.name in node.outputs for node in reversed(to.nodes))


def _deconvolution_sizes(at: Attributes, data: Sequence[int]) -> tuple[Shape, Shape, Shape]:
    """Compute the padding before, the padding after, and the sizes of the output."""
    kernel = at.integers("kernel")
    rank = len(kernel)
    stride, dilate = spatial(at, "stride", rank, 1), spatial(at, "dilate", rank, 1)
    pad, adjust = spatial(at, "pad", rank, 0), spatial(at, "adj", rank, 0)
    target = at.integers("target_shape", ())[:rank]
    if any(step > 1 and spread > 1 and window > 1 for step, spread, window in zip(stride, dilate, kernel)):
        # MXNet 1.9.1 adds up other places than a transposed convolution does.
        raise ValueError("a deconvolution with both stride and dilate over 1 on one axis is not in this package")
    full = [
        (size - 1) * step + spread * (window - 1) + 1
        for size, step, spread, window in zip(data, stride, dilate, kernel)
    ]
    if any(target):
        if any(whole < wanted for whole, wanted in zip(full, target)):
            raise ValueError(f"attribute target_shape must be at most {tuple(full)}, got {target}")
        cut = [whole - wanted for whole, wanted in zip(full, target)]
        # The odd one is cut at the front.
        return tuple((size + 1) // 2 for size in cut), tuple(size // 2 for size in cut), target
    if any(more >= step for more, step in zip(adjust, stride)):
        raise ValueError(f"attribute adj must be less than stride {stride}, got {adjust}")
    after = tuple(border - more for border, more in zip(pad, adjust))
    return pad, after, tuple(whole - before - behind for whole, before, behind in zip(full, pad, after))


#: In place of a size that is not known.
_ANY_SIZE = 60


def _deconvolution_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    kernel = at.integers("kernel")
    filters, groups = at.integer("num_filter"), at.integer("num_group", 1)
    at.choice("layout", ("NCW", "NCHW", "NCDHW"), "NCHW")
    data = _data_of(ins[0], len(kernel), last=False)
    if filters % groups:
        raise ValueError(f"attribute num_group ({groups}) must divide num_filter ({filters})")
    ins[1] = unify(ins[1], (0 if data is None else data[1], filters // groups, *kernel), "weight")
    if len(ins) > 2:
        ins[2] = unify(ins[2], (filters,), "bias")
    if data is None:
        return ins, outs
    sizes = _deconvolution_sizes(at, [size or _ANY_SIZE for size in data[2:]])[2]
    known = (size if taken or at.exact else 0 for size, taken in zip(sizes, data[2:]))
    return ins, [unify(outs[0], (data[0], filters, *known), "output")]


@operator("Deconvolution", inputs=with_bias(default_no_bias=True), shapes=_deconvolution_shapes)
def _deconvolution(to: Builder, at: Attributes, data: Tensor, weight: Tensor, bias: Tensor | None = None) -> Value:
    kernel = at.integers("kernel")
    rank = len(kernel)
    before, after, _sizes = _deconvolution_sizes(at, data.shape[2:])
    # ONNX's padding cannot be negative; what the output has more is its output_padding.
    return to.ConvTranspose(
        data,
        weight,
        bias,
        kernel_shape=list(kernel),
        strides=list(spatial(at, "stride", rank, 1)),
        dilations=list(spatial(at, "dilate", rank, 1)),
        pads=[*before, *(max(size, 0) for size in after)],
        output_padding=[max(-size, 0) for size in after],
        group=at.integer("num_group", 1),
    )


def _upsampling_inputs(at: Attributes) -> list[str]:
    if at.choice("sample_type", ("nearest", "bilinear")) == "bilinear":
        return ["data", "weight"]
    return numbered("arg", at.count("num_args", 1))


def _upsampling_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    scale = at.integer("scale")
    data = ins[0]
    if at.choice("sample_type", ("nearest", "bilinear")) == "bilinear":
        window = 2 * scale - scale % 2
        ins[1] = unify(ins[1], (data[1] if data else 0, 1, window, window), "weight")
        enlarged_shape = data and (data[0], data[1], data[2] * scale, data[3] * scale)
        return ins, [unify(outs[0], enlarged_shape, "output")]
    if not all(complete(shape) for shape in ins) or data is None:
        return ins, outs
    channels = [shape[1] for shape in ins if shape is not None]
    total = sum(channels) if at.choice("multi_input_mode", ("concat", "sum"), "concat") == "concat" else channels[0]
    return ins, [unify(outs[0], (data[0], total, data[2] * scale, data[3] * scale), "output")]


@operator("UpSampling", inputs=_upsampling_inputs, shapes=_upsampling_shapes, variadic="num_args")
def _upsampling(to: Builder, at: Attributes, data: Tensor, *others: Tensor) -> Value:
    scale = at.integer("scale")
    if at.choice("sample_type", ("nearest", "bilinear")) == "bilinear":
        window = 2 * scale - scale % 2
        border = -(-(scale - 1) // 2)
        return to.ConvTranspose(
            data, others[0], kernel_shape=[window] * 2, strides=[scale] * 2, pads=[border] * 4, group=data.shape[1]
        )
    height, width = data.shape[2] * scale, data.shape[3] * scale
    parts = [enlarged(to, tensor, height // tensor.shape[2], width // tensor.shape[3]) for tensor in (data, *others)]
    if len(parts) == 1:
        return parts[0]
    if at.choice("multi_input_mode", ("concat", "sum"), "concat") == "concat":
        return to.Concat(*parts, axis=1)
    return to.Sum(*parts)


def enlarged(to: Builder, x: Value, tall: int, wide: int) -> Value:
    """Repeat each pixel along height and width."""
    scales = to.constant(np.array([1, 1, tall, wide]), "float32")
    return to.Resize(x, None, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def _at_least(at: Attributes, name: str, rank: int, default: int) -> tuple[int, ...]:
    """Read an attribute of pooling with a number for each spatial axis; MXNet ignores those that are too many."""
    values = at.integers(name, ()) or (default,) * rank
    if len(values) < rank:
        raise ValueError(f"attribute {name} must have {rank} numbers, as kernel has, got {values}")
    return values[:rank]


class _Window:
    """How the windows lie on ``sizes``, the spatial ones of the data."""

    def __init__(self, at: Attributes, sizes: Shape) -> None:
        rank = len(sizes)
        self.all = at.flag("global_pool", default=False)
        self.kernel = sizes if self.all else spatial(at, "kernel", rank, 0)
        self.stride = (1,) * rank if self.all else _at_least(at, "stride", rank, 1)
        pad = (0,) * rank if self.all else _at_least(at, "pad", rank, 0)
        convention = at.choice("pooling_convention", ("valid", "full", "same"), "valid")
        if convention == "same" and not self.all and (rank > 1 or any(pad)):
            raise ValueError(f"with the convention same there is one axis, and pad must be 0, got {rank} and {pad}")
        self.before, after, outputs = list(pad), [], []
        for size, window, step, border in zip(sizes, self.kernel, self.stride, pad):
            if not 0 < window <= size + 2 * border:
                raise ValueError(f"attribute kernel {self.kernel} must fit the padded data, which is {sizes} without")
            room = size + 2 * border - window
            count = -(-room // step) + 1 if convention == "full" else room // step + 1
            if convention == "same" and not self.all:
                count = -(-size // step)
            outputs.append(count)
            # The last window may reach further than the padding, or end before it.
            after.append(max(0, (count - 1) * step + window - size - border))
        self.after, self.sizes = after, tuple(outputs)


def _pooled_shape(at: Attributes, data: Shape) -> Shape:
    rank_at_least(3, data)
    if channel_last(at):
        return (data[0], *_Window(at, data[1:-1]).sizes, data[-1])
    return (*data[:2], *_Window(at, data[2:]).sizes)


@operator("Pooling_v1", shape=_pooled_shape)
def _older_pooling(to: Builder, at: Attributes, data: Tensor) -> Value:
    """Padding counts as zeros, for the largest, too."""
    window = _Window(at, data.shape[2:])
    kind = at.choice("pool_type", ("max", "avg", "sum"), "max")
    how = {"kernel_shape": list(window.kernel), "strides": list(window.stride)}
    if kind == "avg" and not window.all:  # what lies beyond the padding counts, too
        return to.AveragePool(data, pads=[*window.before, *window.after], count_include_pad=1, **how)
    if kind != "max" or window.all or not any(window.before):
        return _pool(to, at, data, data.shape[2:])
    padded = to.Pad(data, to.constant([0, 0, *window.before] * 2), 0.0)
    after = [max(0, behind - border) for behind, border in zip(window.after, window.before)]
    return to.MaxPool(padded, pads=[*[0] * len(after), *after], **how)


@operator("Pooling", shape=_pooled_shape)
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
        included = at.flag("count_include_pad", default=True)
        counts = _counts(window, sizes, window.before if included else [0] * len(sizes))
        if not included and counts.min() > 0:
            return to.AveragePool(data, count_include_pad=0, **how)
        # Padding may count, what lies beyond it does not. The mean of a window that covers nothing is 0.
        factors = np.divide(prod(window.kernel), counts, out=np.zeros_like(counts), where=counts > 0)
        mean = to.AveragePool(data, count_include_pad=1, **how)
        return mean if np.all(factors == 1) else to.Mul(mean, to.constant(factors, data.dtype))
    power = at.integer("p_value") if kind == "lp" else 1
    if power not in (1, 2, 3):
        raise ValueError(f"attribute p_value must be 1, 2 or 3, got {power}")
    # Not of magnitudes: an odd power keeps its sign, in MXNet.
    size = data if power == 1 else to.Pow(data, float(power))
    total = to.Mul(to.AveragePool(size, count_include_pad=1, **how), float(prod(window.kernel)))
    return total if power == 1 else to.Sqrt(total) if power == 2 else cube_root(to, total)


def _counts(window: _Window, sizes: Shape, pads: Sequence[int]) -> Array:
    """Count the elements that each window covers of the data with ``pads`` on either side; 0 of none."""
    counts = np.ones((1, 1, *window.sizes))
    for axis, (size, before, pad, count) in enumerate(zip(sizes, window.before, pads, window.sizes)):
        starts = np.arange(count) * window.stride[axis] - before
        covered = np.minimum(starts + window.kernel[axis], size + pad) - np.maximum(starts, -pad)
        counts *= np.maximum(covered, 0).reshape([-1 if place == axis + 2 else 1 for place in range(counts.ndim)])
    return counts
