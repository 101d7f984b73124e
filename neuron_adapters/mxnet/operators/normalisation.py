"""Normalisation by stored statistics, by those of the data, or to the range of images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    Dtypes,
    MaybeShape,
    Shape,
    ShapeRule,
    Shapes,
    axis_of,
    of_dtype,
    rank_at_least,
    single_dtype,
    unify,
)
from neuron_adapters.mxnet.operators.elementwise import in_floats

_STATISTICS = ("moving_mean", "moving_var")
_BATCH = ("data", "gamma", "beta", *_STATISTICS)
_AFFINE = ("data", "gamma", "beta")


def _batch_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = unify(ins[0], outs[0])
    channels: MaybeShape = None if data is None else (data[axis_of(at.integer("axis", 1), len(data))],)
    for shape in (*ins[1:], *outs[1:]):
        channels = unify(channels, shape, "channels")
    return [data, *[channels] * (len(ins) - 1)], [data, *[channels] * (len(outs) - 1)]


def _batch_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    """Beside float16 data the statistics are float32."""
    if ins[0] is not None and not ins[0].startswith("float"):
        raise ValueError(f"it computes with floating-point numbers, got {ins[0]}; add a Cast")
    rest = "float32" if ins[0] == "float16" else ins[0]
    for dtype in ins[1:]:
        if None not in (rest, dtype) and dtype != rest:
            raise ValueError(f"beside {ins[0]} data all other inputs must be {rest}, got {dtype}; add a Cast")
    return [ins[0], *(dtype or rest for dtype in ins[1:])], [ins[0], *[rest] * (count - 1)]


def _moments(*names: str) -> Callable[[Attributes], Sequence[str]]:
    return lambda at: ["output", *names] if at.flag("output_mean_var", default=False) else ["output"]


def _batch_norm(
    to: Builder, at: Attributes, data: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor
) -> list[Value]:
    """Normalise by the moving statistics. With ``fix_gamma``, the default, gamma counts as 1 whatever it holds."""
    axis = axis_of(at.integer("axis", 1), len(data.shape))
    fixed = at.flag("fix_gamma", default=True)
    scale = to.constant(np.ones(gamma.shape), gamma.dtype) if fixed else gamma
    parts = [to.cast(tensor, data.dtype) for tensor in (scale, beta, mean, var)]
    eps = at.number("eps", 1e-3)
    moved = to.swap(data, len(data.shape), 1, axis) if len(data.shape) > 1 else to.unsqueeze(data, 0)
    output = to.BatchNormalization(moved, *parts, epsilon=eps)
    output = to.swap(output, len(data.shape), 1, axis) if len(data.shape) > 1 else to.squeeze(output, 0)
    if len(to.outputs) == 1:
        return [output]
    return [output, mean, to.Reciprocal(to.Sqrt(to.Add(var, eps)))]


def _older_batch_norm(to: Builder, at: Attributes, *tensors: Tensor) -> list[Value]:
    """Its third output is the variance itself."""
    output, *others = _batch_norm(to, at, *tensors)
    return [output, *others[:1], *tensors[-1:]][: len(to.outputs)]


_batch = functools.partial(
    operator,
    inputs=_BATCH,
    outputs=_moments("mean", "var"),
    shapes=_batch_shapes,
    dtypes=_batch_dtypes,
    auxiliary=_STATISTICS,
)
_batch("BatchNorm", "CuDNNBatchNorm", "_contrib_SyncBatchNorm")(_batch_norm)
_batch("BatchNorm_v1")(_older_batch_norm)


@_batch("_contrib_BatchNormWithReLU")
def _batch_norm_relu(to: Builder, at: Attributes, *tensors: Tensor) -> list[Value]:
    output, *others = _batch_norm(to, at, *tensors)
    return [to.Relu(output), *others]


def _normalised(
    width: Callable[[Attributes, Shape], int], moments: Callable[[Attributes, Shape], Shape] | None = None
) -> ShapeRule:
    """Make a rule: the output has the shape of the data, gamma and beta have ``width`` elements, and the mean and the
    deviation, which may be further outputs, have the shape ``moments``."""

    def rule(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        data = unify(ins[0], outs[0])
        if data is None:
            return ins, outs
        wide = (width(at, data),)
        further = [unify(shape, moments(at, data)) for shape in outs[1:]] if moments else []
        return [data, *(unify(shape, wide, "gamma and beta") for shape in ins[1:])], [data, *further]

    return rule


def _channels(_at: Attributes, data: Shape) -> int:
    rank_at_least(2, data)
    return data[1]


@operator("InstanceNorm", inputs=_AFFINE, shapes=_normalised(_channels), dtypes=single_dtype)
def _instance_norm(to: Builder, at: Attributes, data: Tensor, gamma: Tensor, beta: Tensor) -> Value:
    rank = len(data.shape)
    output, _mean, _var = _standard(to, data, list(range(2, rank)), at.number("eps", 1e-3))
    return _affine(to, output, gamma, beta, [-1] + [1] * (rank - 2))


def _layer_axis(at: Attributes, data: Shape) -> int:
    return axis_of(at.integer("axis", -1), len(data))


def _layer_moments(at: Attributes, data: Shape) -> Shape:
    return tuple(1 if place == _layer_axis(at, data) else size for place, size in enumerate(data))


@operator("LayerNorm", inputs=_AFFINE, outputs=_moments("mean", "std"),
          shapes=_normalised(lambda at, data: data[_layer_axis(at, data)], _layer_moments))  # fmt: skip
def _layer_norm(to: Builder, at: Attributes, data: Tensor, gamma: Tensor, beta: Tensor) -> list[Value]:
    rank, axis, eps = len(data.shape), _layer_axis(at, data.shape), at.number("eps", 1e-5)
    if len(to.outputs) == 1 and axis == rank - 1:
        return [to.LayerNormalization(data, gamma, beta, axis=-1, epsilon=eps)]
    output, mean, std = _standard(to, data, [axis], eps)
    output = _affine(to, output, gamma, beta, [-1] + [1] * (rank - 1 - axis))
    return [output, mean, std][: len(to.outputs)]


def _groups(at: Attributes, data: Shape) -> int:
    groups = at.integer("num_groups", 1)
    if len(data) < 3 or data[1] % groups:
        raise ValueError(f"attribute num_groups ({groups}) must divide the channels of data of at least 3 axes")
    return groups


@operator("GroupNorm", inputs=_AFFINE, outputs=_moments("mean", "std"),
          shapes=_normalised(_groups, lambda at, data: (data[0], _groups(at, data))))  # fmt: skip
def _group_norm(to: Builder, at: Attributes, data: Tensor, gamma: Tensor, beta: Tensor) -> list[Value]:
    groups = at.integer("num_groups", 1)
    grouped = to.reshape(data, [data.shape[0], groups, -1])
    output, mean, std = _standard(to, grouped, [2], at.number("eps", 1e-5))
    output = to.reshape(_affine(to, output, gamma, beta, [-1, 1]), data.shape)
    return [output, to.squeeze(mean, 2), to.squeeze(std, 2)][: len(to.outputs)]


def _standard(to: Builder, x: Value, axes: list[int], eps: float) -> tuple[Value, Value, Value]:
    """Normalise ``x`` over ``axes`` to mean 0 and variance 1; also return its mean and its standard deviation."""
    mean = to.reduce("ReduceMean", x, axes)
    middle = to.Sub(x, mean)
    std = to.Sqrt(to.Add(to.reduce("ReduceMean", to.Mul(middle, middle), axes), eps))
    return to.Div(middle, std), mean, std


def _affine(to: Builder, x: Value, gamma: Value, beta: Value, shape: list[int]) -> Value:
    return to.Add(to.Mul(x, to.reshape(gamma, shape)), to.reshape(beta, shape))


@operator("L2Normalization")
def _l2_normalization(to: Builder, at: Attributes, data: Tensor) -> Value:
    rank = len(data.shape)
    mode = at.choice("mode", ("instance", "channel", "spatial"), "instance")
    axes = {"instance": list(range(1, rank)), "channel": [1], "spatial": list(range(2, rank))}[mode]
    total = to.reduce("ReduceSum", to.Mul(data, data), axes)
    return to.Div(data, to.Sqrt(to.Add(total, at.number("eps", 1e-10))))


@operator("LRN")
def _lrn(to: Builder, at: Attributes, data: Tensor) -> Value:
    alpha, beta, knorm = at.number("alpha", 1e-4), at.number("beta", 0.75), at.number("knorm", 2.0)
    if at.integer("nsize") % 2 != 1:
        raise ValueError(f"attribute nsize must be odd, got {at.integer('nsize')}")
    if knorm <= 0 or knorm.is_integer():
        return to.LRN(data, alpha=alpha, beta=beta, bias=knorm, size=at.integer("nsize"))
    # OpenVINO cuts the bias down to a whole number.
    normed = to.LRN(data, alpha=alpha / knorm, beta=beta, bias=1.0, size=at.integer("nsize"))
    return to.Mul(normed, knorm**-beta)


def _moments_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    """Reduce over ``axes``."""
    data = ins[0]
    if data is None:
        return ins, outs
    axes = {axis_of(axis, len(data)) for axis in at.integers("axes", range(len(data)))}
    keep = at.flag("keepdims", default=False)
    reduced = tuple(1 if place in axes else size for place, size in enumerate(data) if keep or place not in axes) or (
        1,
    )
    return ins, [unify(shape, reduced) for shape in outs]


@operator("moments", outputs=("output0", "output1"), shapes=_moments_shapes)
def _moments_over(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    axes = [axis_of(axis, len(data.shape)) for axis in at.integers("axes", range(len(data.shape)))]
    mean = to.reduce("ReduceMean", data, axes)
    middle = to.Sub(data, mean)
    var = to.reduce("ReduceMean", to.Mul(middle, middle), axes)
    return [to.reshape(value, to.outputs[0].shape) for value in (mean, var)]


def _tensor_shape(_at: Attributes, data: Shape) -> Shape:
    if len(data) not in (3, 4):
        raise ValueError(f"data must be an image (height, width, channels) or a batch of them, got {data}")
    return (*data[:-3], data[-1], *data[-3:-1])


@operator("_image_to_tensor", shape=_tensor_shape, dtypes=of_dtype("float32"))
def _to_tensor(to: Builder, _at: Attributes, data: Tensor) -> Value:
    """Move the channels to the front, and scale 0 to 255 to 0 to 1."""
    rank = len(data.shape)
    moved = to.transpose(data, [*range(rank - 3), rank - 1, rank - 3, rank - 2])
    return to.Mul(to.cast(moved, "float32"), 1.0 / 255.0)


@operator("_image_normalize", shape=lambda _at, data: data)
def _normalize(to: Builder, at: Attributes, data: Tensor) -> Value:
    def compute(value: Value) -> Value:
        mean, deviation = (
            to.constant(np.array(at.numbers(name, (default,))).reshape(-1, 1, 1), value.dtype)
            for name, default in (("mean", 0.0), ("std", 1.0))
        )
        return to.Div(to.Sub(value, mean), deviation)

    return in_floats(to, data, compute)


def _cropped_shape(at: Attributes, data: Shape) -> Shape:
    x, y, width, height = (at.integer(name) for name in ("x", "y", "width", "height"))
    *batch, rows, columns, channels = data
    if min(x, y) < 0 or min(width, height) < 1 or x + width > columns or y + height > rows:
        raise ValueError(f"the crop from ({x}, {y}) of {width} x {height} must be inside {columns} x {rows}")
    return (*batch, height, width, channels)


@operator("_image_crop", shape=_cropped_shape)
def _crop(to: Builder, at: Attributes, data: Tensor) -> Value:
    x, y, width, height = (at.integer(name) for name in ("x", "y", "width", "height"))
    rank = len(data.shape)
    return to.slice(to.slice(data, rank - 3, y, y + height), rank - 2, x, x + width)


@operator("_image_flip_left_right", shape=lambda _at, data: data)
def _flip_left_right(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.slice(data, len(data.shape) - 2, data.shape[-2] - 1, None, -1)


@operator("_image_flip_top_bottom", shape=lambda _at, data: data)
def _flip_top_bottom(to: Builder, _at: Attributes, data: Tensor) -> Value:
    return to.slice(data, len(data.shape) - 3, data.shape[-3] - 1, None, -1)
