"""Quantized graphs: what ``mx.contrib.quantization`` makes of a network, int8 and uint8 with a range beside each array.

Scales and rounding are those of MXNet with MKL-DNN, which is how such graphs are made and run. Products are computed in
float32 on the integers, where they are exact up to 24 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.operators import convolution, find
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, Shapes, axis_of, numbered, same, unify
from neuron_adapters.mxnet.operators.elementwise import truncated

#: What the end of a range is as an integer of each type.
LEVELS = {"int8": 127.5, "uint8": 255.5, "int32": float(1 << 31)}
#: The same, where a product's range is told.
PRODUCT_LEVELS = {"int8": 127.0, "uint8": 255.0}
#: A range that is 0 holds zeros only, whatever they are divided by.
_LEAST_RANGE = 1e-30
_RANGES = ["min_output", "max_output"]


def magnitude(to: Builder, low: Value, high: Value) -> Value:
    """Return the larger end of a range."""
    return to.Max(to.Max(to.Abs(low), to.Abs(high)), _LEAST_RANGE)


def floats(to: Builder, data: Value, low: Value, high: Value) -> Value:
    """Return what quantized numbers stand for."""
    return to.Mul(to.cast(data, "float32"), to.Mul(magnitude(to, low, high), 1.0 / LEVELS[data.dtype]))


def integers(to: Builder, scaled: Value, dtype: str) -> Value:
    """Round numbers that are scaled already, as ``dtype``; what is beyond its ends becomes them."""
    info = np.iinfo(dtype)
    return to.cast(to.Clip(to.Round(scaled), float(info.min), float(info.max)), dtype)


def inverse(to: Builder, value: Value) -> Value:
    """Compute the reciprocal, as a power: a quotient would be watched at each rounding."""
    return to.Pow(value, -1.0)


def calibrated(at: Attributes) -> tuple[float, float] | None:
    """Read the range that was found when the graph was made; None where it is computed at each call."""
    if not (at.has("min_calib_range") and at.has("max_calib_range")):
        return None
    return at.number("min_calib_range"), at.number("max_calib_range")


def output_dtype(at: Attributes) -> str:
    """Read the type that numbers are quantized to: "auto" is uint8 for a range without negative numbers."""
    asked = at.choice("out_type", ("auto", "int8", "uint8"), "int8")
    if asked != "auto":
        return asked
    limits = calibrated(at)
    return "uint8" if limits is not None and limits[0] >= 0 else "int8"


def with_ranges(
    dtype: Callable[[Attributes, Dtypes], str | None], data: int = 1
) -> Callable[..., tuple[Dtypes, Dtypes]]:
    """Make a rule: the output has what ``dtype`` says, ranges are float32. ``data``: how many inputs are no ranges."""

    def rule(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
        inner: Dtypes = [*ins[:data], *["float32"] * (len(ins) - data)]
        return inner, [dtype(at, ins), "float32", "float32"][:count]

    return rule


def _ranged(ins: Shapes, data: int) -> Shapes:
    """Give the ranges their shape."""
    return [*ins[:data], *(unify(shape, (1,), "range") for shape in ins[data:])]


def _elementwise(data: int) -> Callable[..., tuple[Shapes, Shapes]]:
    def rule(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        inner, outputs = same(at, ins[:data], outs[:1])
        return [*inner, *_ranged(ins, data)[data:]], [*outputs, *[(1,)] * (len(outs) - 1)]

    return rule


def _as(name: str, data: int) -> Callable[..., tuple[Shapes, Shapes]]:
    """Make a rule: the shapes of the float operator ``name``, which has the first ``data`` inputs."""

    def rule(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        plain = find(name)
        assert plain is not None
        count = data - at.flag("no_bias", default=False) if data > 1 else data
        inner, outputs = plain.shape_rule(at, ins[:count], outs[:1])
        return [*inner, *_ranged(ins, count)[count:]], [*outputs, (1,), (1,)]

    return rule


# -- between floats and integers ------------------------------------------------------------------------------------


@operator("_contrib_quantize_v2", outputs=("output0", "output1", "output2"), shapes=_elementwise(1),
          dtypes=with_ranges(lambda at, _ins: output_dtype(at)))  # fmt: skip
def _quantize_v2(to: Builder, at: Attributes, data: Tensor) -> list[Value]:
    limits = calibrated(at)
    if not data.dtype.startswith("float"):  # it is quantized already
        level = LEVELS[data.dtype]
        ends = limits or (0.0 if data.dtype == "uint8" else -level, level)
        return [data, *(to.constant([end], "float32") for end in ends)]
    dtype = to.outputs[0].dtype
    if limits is not None:
        most = max(abs(limits[0]), abs(limits[1]))
        ends = limits if dtype == "uint8" else (-most, most)
        scale = LEVELS[dtype] / max(most, _LEAST_RANGE)
        return [integers(to, to.Mul(data, scale), dtype), *(to.constant([end], "float32") for end in ends)]
    flat = to.reshape(data, [-1])
    low, high = (to.reduce(f"Reduce{kind}", flat, [0]) for kind in ("Min", "Max"))
    largest = magnitude(to, low, high)
    scaled = integers(to, to.Mul(data, to.Mul(inverse(to, largest), LEVELS[dtype])), dtype)
    return [scaled, *((low, high) if dtype == "uint8" else (to.Neg(largest), largest))]


@operator("_contrib_quantize", inputs=("data", "min_range", "max_range"), outputs=("output0", "output1", "output2"),
          shapes=_elementwise(1),
          dtypes=with_ranges(lambda at, _ins: at.choice("out_type", ("int8", "uint8"), "uint8")))  # fmt: skip
def _quantize(to: Builder, _at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> list[Value]:
    dtype, largest = to.outputs[0].dtype, magnitude(to, low, high)
    scaled = integers(to, to.Mul(data, to.Mul(inverse(to, largest), PRODUCT_LEVELS[dtype])), dtype)
    return [scaled, *((low, high) if dtype == "uint8" else (to.Neg(largest), largest))]


@operator("_contrib_dequantize", inputs=("data", "min_range", "max_range"), shapes=_elementwise(1),
          dtypes=with_ranges(lambda _at, _ins: "float32"))  # fmt: skip
def _dequantize(to: Builder, _at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> Value:
    return floats(to, data, low, high)


@operator("_contrib_requantize", inputs=("data", "min_range", "max_range"), outputs=("output0", "output1", "output2"),
          shapes=_elementwise(1), dtypes=with_ranges(lambda at, _ins: output_dtype(at)))  # fmt: skip
def _requantize(to: Builder, at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> list[Value]:
    dtype, limits = to.outputs[0].dtype, calibrated(at)
    value, step = to.cast(data, "float32"), to.Mul(magnitude(to, low, high), 1.0 / LEVELS["int32"])
    if limits is not None:
        most = max(abs(limits[0]), abs(limits[1]))
        largest: Value = to.constant([most], "float32")
        scale = to.Mul(step, PRODUCT_LEVELS[dtype] / max(most, _LEAST_RANGE))
    else:
        size = to.reduce("ReduceMax", to.Abs(to.reshape(value, [-1])), [0])
        largest = to.Max(to.Mul(size, step), _LEAST_RANGE)
        scale = to.Mul(to.Mul(step, inverse(to, largest)), PRODUCT_LEVELS[dtype])
    least = to.Mul(largest, 0.0) if dtype == "uint8" else to.Neg(largest)
    return [integers(to, to.Mul(value, scale), dtype), least, largest]


# -- layers ---------------------------------------------------------------------------------------------------------


def _product_inputs(at: Attributes) -> list[str]:
    names = ["data", "weight"] + ([] if at.flag("no_bias", default=False) else ["bias"])
    return names + [f"{end}_{name}" for name in names for end in ("min", "max")]


def _product_dtypes(_at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
    arrays = len(ins) // 3
    return [ins[0], *["int8"] * (arrays - 1), *["float32"] * (2 * arrays)], ["int32", "float32", "float32"]


def _product_range(to: Builder, data: str, ranges: Sequence[Value], other: str = "int8") -> tuple[Value, Value]:
    """Return the range of sums of products of two dtypes, ``data`` and ``other``."""
    steps = to.Mul(magnitude(to, *ranges[:2]), magnitude(to, *ranges[2:4]))
    most = to.Mul(steps, LEVELS["int32"] / PRODUCT_LEVELS[data] / PRODUCT_LEVELS[other])
    return to.Neg(most), most


def _scaled_bias(to: Builder, dtype: str, bias: Value, ranges: Sequence[Value]) -> Value:
    """Return a bias in the scale of sums of products of ``dtype`` and int8, as int32."""
    sizes = [magnitude(to, *ranges[place : place + 2]) for place in (0, 2, 4)]
    factor = to.Mul(to.Mul(inverse(to, sizes[0]), inverse(to, sizes[1])), sizes[2])
    return _whole(to, to.Mul(to.cast(bias, "float32"), to.Mul(factor, LEVELS[dtype])))


def _whole(to: Builder, value: Value) -> Value:
    """Cut fractions off, and return int32."""
    return to.cast(truncated(to, value), "int32")


@operator("_contrib_quantized_conv", inputs=_product_inputs, outputs=("output", *_RANGES), shapes=_as("Convolution", 3),
          dtypes=_product_dtypes)  # fmt: skip
def _quantized_conv(to: Builder, at: Attributes, data: Tensor, weight: Tensor, *others: Tensor) -> list[Value]:
    """MXNet's CPUs take uint8 only, whose bias they add as it is. Its GPUs take int8, whose bias they scale."""
    count = 0 if at.flag("no_bias", default=False) else 1
    ranges = others[count:]
    bias = [to.cast(each, "float32") for each in others[:count]]
    if bias and data.dtype == "int8":
        bias = [to.cast(_scaled_bias(to, data.dtype, others[0], ranges), "float32")]
    x, filters = (_float(to, each) for each in (data, weight))
    result = convolution.convolve(to, at, x, filters, *bias)
    return [to.cast(result, "int32"), *_product_range(to, "int8", ranges)]


def _float(to: Builder, tensor: Tensor) -> Tensor:
    return Tensor(to.cast(tensor, "float32").name, "float32", tensor.shape)


@operator("_contrib_quantized_fully_connected", inputs=_product_inputs, outputs=("output", *_RANGES),
          shapes=_as("FullyConnected", 3), dtypes=_product_dtypes)  # fmt: skip
def _quantized_dense(to: Builder, at: Attributes, data: Tensor, weight: Tensor, *others: Tensor) -> list[Value]:
    count = 0 if at.flag("no_bias", default=False) else 1
    ranges = others[count:]
    x: Value = to.cast(data, "float32")
    if at.flag("flatten", default=True) and len(data.shape) != 2:
        x = to.reshape(x, [data.shape[0], -1])
    result = to.MatMul(x, to.transpose(to.cast(weight, "float32"), [1, 0]))
    if count:
        result = to.Add(result, to.cast(_scaled_bias(to, data.dtype, others[0], ranges), "float32"))
    return [to.cast(result, "int32"), *_product_range(to, data.dtype, ranges)]


_DATA = ("data", "min_data", "max_data")


def _kept_dtype(_at: Attributes, ins: Dtypes) -> str | None:
    return ins[0]


@operator("_contrib_quantized_pooling", inputs=_DATA, outputs=("output", *_RANGES), shapes=_as("Pooling", 1),
          dtypes=with_ranges(_kept_dtype))  # fmt: skip
def _quantized_pooling(to: Builder, at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> list[Value]:
    at.choice("pool_type", ("max", "avg"), "max")
    plain = find("Pooling")
    assert plain is not None
    pooled = plain.translation(to, at, _float(to, data))
    assert isinstance(pooled, Value)
    return [integers(to, pooled, data.dtype), low, high]


@operator("_contrib_quantized_act", inputs=_DATA, outputs=("output", *_RANGES), shapes=_elementwise(1),
          dtypes=with_ranges(lambda _at, _ins: "int8"))  # fmt: skip
def _quantized_act(to: Builder, at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> list[Value]:
    at.choice("act_type", ("relu",))
    return [to.cast(to.Relu(to.cast(data, "float32")), "int8"), low, high]


@operator("_contrib_quantized_flatten", inputs=_DATA, outputs=("output", *_RANGES), shapes=_as("Flatten", 1),
          dtypes=with_ranges(_kept_dtype))  # fmt: skip
def _quantized_flatten(to: Builder, _at: Attributes, data: Tensor, low: Tensor, high: Tensor) -> list[Value]:
    return [to.reshape(data, to.outputs[0].shape), low, high]


def _concat_inputs(at: Attributes) -> list[str]:
    names = numbered("arg", at.count("num_args"))
    return names + [f"{name}_{end}" for name in names for end in ("min", "max")]


def _concat_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    plain = find("Concat")
    assert plain is not None
    count = at.count("num_args")
    inner, outputs = plain.shape_rule(at, ins[:count], outs[:1])
    return [*inner, *_ranged(ins, count)[count:]], [*outputs, (1,), (1,)]


def _concat_dtypes(_at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
    count = len(ins) // 3
    inner = [dtype if dtype == "int8" else "uint8" for dtype in ins[:count]]
    return [*inner, *["float32"] * (2 * count)], ["int8" if "int8" in inner else "uint8", "float32", "float32"]


@operator("_contrib_quantized_concat", inputs=_concat_inputs, outputs=("output", *_RANGES), shapes=_concat_shapes,
          dtypes=_concat_dtypes, variadic="num_args")  # fmt: skip
def _quantized_concat(to: Builder, at: Attributes, *tensors: Tensor) -> list[Value]:
    """Scale all to the widest range."""
    count = at.count("num_args")
    lows, highs = tensors[count::2], tensors[count + 1 :: 2]
    low: Value = to.constant([0.0], "float32")
    high = low
    for each in lows:
        low = to.Min(low, each)
    for each in highs:
        high = to.Max(high, each)
    dtype = to.outputs[0].dtype
    scale = to.Mul(inverse(to, magnitude(to, low, high)), LEVELS[dtype])
    parts = [
        integers(to, to.Mul(floats(to, data, *ends), scale), dtype) for data, *ends in zip(tensors[:count], lows, highs)
    ]
    return [to.Concat(*parts, axis=axis_of(at.integer("dim", 1), len(tensors[0].shape))), low, high]


_TWO = ("lhs", "rhs", "lhs_min", "lhs_max", "rhs_min", "rhs_max")


def _sum_dtype(at: Attributes, ins: Dtypes) -> str:
    if calibrated(at) is None:
        return "int32"
    return "uint8" if ins[:2] == ["uint8", "uint8"] else "int8"


@operator("_contrib_quantized_elemwise_add", inputs=_TWO, outputs=("output", *_RANGES), shapes=_elementwise(2),
          dtypes=with_ranges(_sum_dtype, 2))  # fmt: skip
def _quantized_add(to: Builder, at: Attributes, left: Tensor, right: Tensor, *ranges: Tensor) -> list[Value]:
    dtype, limits = to.outputs[0].dtype, calibrated(at)
    total = to.Add(floats(to, left, *ranges[:2]), floats(to, right, *ranges[2:]))
    if limits is not None:
        most = max(abs(limits[0]), abs(limits[1]), _LEAST_RANGE)
        ends = (to.constant([end], "float32") for end in limits)
        return [integers(to, to.Mul(total, LEVELS[dtype] / most), dtype), *ends]
    largest = to.Add(magnitude(to, *ranges[:2]), magnitude(to, *ranges[2:]))
    return [_whole(to, to.Mul(total, to.Mul(inverse(to, largest), LEVELS[dtype]))), to.Neg(largest), largest]


def _product_outputs(at: Attributes) -> list[str]:
    return ["output"] if at.flag("enable_float_output", default=False) else ["output", *_RANGES]


def _product_dtype(at: Attributes, _ins: Dtypes) -> str:
    if at.flag("enable_float_output", default=False):
        return "float32"
    return "int32" if calibrated(at) is None else "int8"


@operator("_contrib_quantized_elemwise_mul", inputs=_TWO, outputs=_product_outputs, shapes=_elementwise(2),
          dtypes=with_ranges(_product_dtype, 2))  # fmt: skip
def _quantized_mul(to: Builder, at: Attributes, left: Tensor, right: Tensor, *ranges: Tensor) -> list[Value]:
    limits = calibrated(at)
    if to.outputs[0].dtype == "float32":
        return [to.Mul(floats(to, left, *ranges[:2]), floats(to, right, *ranges[2:]))]
    if limits is None:
        whole = to.Mul(to.cast(left, "float32"), to.cast(right, "float32"))
        return [to.cast(whole, "int32"), *_product_range(to, left.dtype, ranges, right.dtype)]
    most = max(abs(limits[0]), abs(limits[1]), _LEAST_RANGE)
    product = to.Mul(floats(to, left, *ranges[:2]), floats(to, right, *ranges[2:]))
    cut = to.cast(_whole(to, to.Mul(product, LEVELS["int8"] / most)), "int8")
    return [cut, *(to.constant([end], "float32") for end in limits)]


def _batch_norm_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    data = unify(ins[0], outs[0])
    size = 0 if data is None else data[axis_of(at.integer("axis", 1), len(data))]
    statistics = [unify(shape, (size,), "statistics") for shape in ins[1:5]]
    return [data, *statistics, *_ranged(ins, 5)[5:]], [data, (1,), (1,)]


@operator("_contrib_quantized_batch_norm",
          inputs=("data", "gamma", "beta", "moving_mean", "moving_var", "min_data", "max_data"),
          outputs=("output", *_RANGES), shapes=_batch_norm_shapes, auxiliary=("moving_mean", "moving_var"),
          dtypes=with_ranges(lambda _at, _ins: "int8"))  # fmt: skip
def _quantized_batch_norm(
    to: Builder, at: Attributes, data: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, *ranges: Tensor
) -> list[Value]:
    limits = calibrated(at)
    if limits is None:
        raise ValueError(
            "it has no range, min_calib_range and max_calib_range: calibrate the graph, or exclude the layer"
        )
    shape = [1] * len(data.shape)
    shape[axis_of(at.integer("axis", 1), len(data.shape))] = -1
    factor = to.Mul(gamma, to.Pow(to.Add(var, at.number("eps", 1e-3)), -0.5))
    shift = to.Sub(beta, to.Mul(mean, factor))
    # MXNet folds the variance into gamma, and then divides by the root of 1 + eps, too.
    scaled = to.Mul(factor, (1.0 + at.number("eps", 1e-3)) ** -0.5)
    value = to.Mul(floats(to, data, *ranges), to.reshape(scaled, shape))
    value = to.Add(value, to.reshape(shift, shape))
    most = max(abs(limits[0]), abs(limits[1]), _LEAST_RANGE)
    ends = (to.constant([end], "float32") for end in limits)
    return [integers(to, to.Mul(value, LEVELS["int8"] / most), "int8"), *ends]


def _embedding_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    plain = find("Embedding")
    assert plain is not None
    inner, outputs = plain.shape_rule(at, ins[:2], outs[:1])
    return [*inner, *_ranged(ins, 2)[2:]], [*outputs, (1,), (1,)]


def _embedding_dtypes(_at: Attributes, ins: Dtypes, _count: int) -> tuple[Dtypes, Dtypes]:
    return [ins[0], "int8", "float32", "float32"], ["int8", "float32", "float32"]


@operator("_contrib_quantized_embedding", inputs=("data", "weight", "min_weight", "max_weight"),
          outputs=("output", *_RANGES), shapes=_embedding_shapes, dtypes=_embedding_dtypes)  # fmt: skip
def _quantized_embedding(to: Builder, at: Attributes, data: Tensor, weight: Tensor, *ranges: Tensor) -> list[Any]:
    plain = find("Embedding")
    assert plain is not None
    return [plain.translation(to, at, data, weight), *ranges]
