"""Convolutions, normalisations, softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Size
from neuron_adapters.mxnet.onnx.conversions._padding import ones, padded, pads
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol


def _kernel(call: Call) -> tuple[int, ...]:
    return tuple(call.integers("kernel_shape") or [call.size(axis, 1) for axis in range(2, len(call.shape(1)))])


def _inputs(call: Call, x: Symbol) -> list[Symbol]:
    return [x, call.tensor(1)] + ([call.tensor(2)] if call.has_input(2) else [])


@converts("Conv")
def _convolution(call: Call) -> Symbol:
    kernel = _kernel(call)
    rank = len(kernel)
    strides, dilations = ones(call, "strides", rank), ones(call, "dilations", rank)
    before, behind = pads(call, kernel, strides, dilations)
    x, border = call.tensor(0), before
    if before != behind:  # MXNet pads both ends alike
        x, border = padded(x, (0, 0, *before), (0, 0, *behind)), (0,) * rank
    return sym.Convolution(
        *_inputs(call, x),
        kernel=kernel,
        stride=strides,
        dilate=dilations,
        pad=border,
        num_filter=call.size(0, 1),
        num_group=call.attribute("group", 1),
        no_bias=not call.has_input(2),
        name=call.name,
    )


@converts("ConvTranspose")
def _deconvolution(call: Call) -> Symbol:
    kernel = _kernel(call)
    rank, groups = len(kernel), call.attribute("group", 1)
    strides, dilations = ones(call, "strides", rank), ones(call, "dilations", rank)
    more = tuple(call.integers("output_padding") or (0,) * rank)
    before, behind = _cut(call, kernel, strides, dilations, more)
    if any(extra >= stride for extra, stride in zip(more, strides)):
        call.refuse(f"output_padding {more} must be less than strides {strides} in MXNet.")
    alike = before == behind
    how: dict[str, Any] = {
        "kernel": kernel,
        "stride": strides,
        "dilate": dilations,
        "adj": more,
        "num_filter": call.size(1, 1) * groups,
        "num_group": groups,
        "no_bias": not call.has_input(2),
    }
    parts = _inputs(call, call.tensor(0))
    if alike:
        return sym.Deconvolution(*parts, pad=before, name=call.name, **how)
    x = sym.Deconvolution(*parts, pad=(0,) * rank, **how)
    ends = tuple(-size if size else None for size in behind)
    return sym.slice(x, begin=(None, None, *before), end=(None, None, *ends), name=call.name)


def _cut(
    call: Call, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...], more: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what is cut from the full output before and behind each axis."""
    word, wanted = call.attribute("auto_pad", "NOTSET"), call.integers("output_shape")
    if wanted is None and word in ("NOTSET", "VALID"):
        return pads(call, kernel, strides, dilations)
    before, behind = [], []
    for axis, (window, stride, dilation, extra) in enumerate(zip(kernel, strides, dilations, more)):
        size = call.size(axis + 2)
        target = size * stride if wanted is None else wanted[-len(kernel) :][axis]
        total = stride * (size - 1) + extra + (window - 1) * dilation + 1 - target
        if total < 0:
            call.refuse(f"its output of {target} along axis {axis + 2} is larger than what it computes.")
        front = total // 2 if word == "SAME_UPPER" else total - total // 2
        before.append(front)
        behind.append(total - front)
    return tuple(before), tuple(behind)


@converts("BatchNormalization")
def _batch_norm(call: Call) -> Symbol:
    if call.attribute("training_mode", 0) or not call.attribute("spatial", 1):
        call.refuse("it is in training mode, or normalises each place by itself: export the model for inference.")
    eps = call.number("epsilon", 1e-5)
    if all(call.known(place) is not None for place in range(1, 5)):
        # The means and variances are auxiliary states, and those are of one node only.
        states = [call.graph.state(call.inputs[place]) for place in (3, 4)]
        parts = [call.tensor(0), call.tensor(1), call.tensor(2), *states]
        return sym.BatchNorm(*parts, eps=eps, fix_gamma=False, cudnn_off=eps < 1e-5, name=call.name)
    shape = (1, -1, *(1,) * (len(call.shape(0)) - 2))
    scale, shift, mean, variance = (sym.reshape(call.tensor(place), shape=shape) for place in range(1, 5))
    factor = sym.broadcast_div(scale, sym.sqrt(variance + eps))
    middle = sym.broadcast_sub(call.tensor(0), mean)
    return sym.broadcast_add(sym.broadcast_mul(middle, factor), shift, name=call.name)


@converts("InstanceNormalization")
def _instance_norm(call: Call) -> Symbol:
    return sym.InstanceNorm(*call.tensors(), eps=call.number("epsilon", 1e-5), name=call.name)


@converts("LayerNormalization")
def _layer_norm(call: Call) -> Symbol:
    rank, axis, eps = len(call.shape(0)), call.axis(default=-1), call.number("epsilon", 1e-5)
    x = call.tensor(0)
    scale, shift = call.known(1), call.known(2)
    if axis == rank - 1 and scale is not None and scale.ndim == 1 and (shift is None or shift.shape == scale.shape):
        if call.has_input(2) and shift is None:
            return sym.broadcast_add(_normed(call, x, (axis,), eps, scaled=True), call.tensor(2), name=call.name)
        beta = call.tensor(2) if call.has_input(2) else call.parameter(np.zeros_like(scale), "beta")
        return sym.LayerNorm(x, call.tensor(1), beta, axis=-1, eps=eps, name=call.name)
    normed = _normed(call, x, tuple(range(axis, rank)), eps, scaled=True)
    return sym.broadcast_add(normed, call.tensor(2), name=call.name) if call.has_input(2) else normed


def _normed(call: Call, x: Symbol, axes: tuple[int, ...], eps: float, *, scaled: bool) -> Symbol:
    middle = sym.broadcast_sub(x, sym.mean(x, axis=axes, keepdims=True))
    variance = sym.mean(sym.square(middle), axis=axes, keepdims=True)
    normed = sym.broadcast_div(middle, sym.sqrt(variance + eps))
    return sym.broadcast_mul(normed, call.tensor(1)) if scaled else normed


@converts("RMSNormalization")
def _rms_norm(call: Call) -> Symbol:
    x = call.tensor(0)
    axes = tuple(range(call.axis(default=-1), len(call.shape(0))))
    mean = sym.mean(sym.square(x), axis=axes, keepdims=True)
    normed = sym.broadcast_div(x, sym.sqrt(mean + call.number("epsilon", 1e-5)))
    return sym.broadcast_mul(normed, call.tensor(1), name=call.name)


@converts("GroupNormalization")
def _group_norm(call: Call) -> Symbol:
    """MXNet 1.9.1 scales a group; from version 21 on ONNX scales a channel, and a group before."""
    groups, eps = call.attribute("num_groups"), call.number("epsilon", 1e-5)
    x, rank = call.tensor(0), len(call.shape(0))
    gamma, beta = (
        call.parameter(np.ones(groups, np.float32), "ones"),
        call.parameter(np.zeros(groups, np.float32), "zeros"),
    )
    if call.opset < 21:
        return sym.GroupNorm(x, call.tensor(1), call.tensor(2), num_groups=groups, eps=eps, name=call.name)
    shape = (1, -1, *(1,) * (rank - 2))
    normed = sym.GroupNorm(x, gamma, beta, num_groups=groups, eps=eps)
    scaled = sym.broadcast_mul(normed, sym.reshape(call.tensor(1), shape=shape))
    return sym.broadcast_add(scaled, sym.reshape(call.tensor(2), shape=shape), name=call.name)


@converts("LRN")
def _local_response(call: Call) -> Symbol:
    return sym.LRN(
        call.tensor(0),
        alpha=call.number("alpha", 1e-4),
        beta=call.number("beta", 0.75),
        knorm=call.number("bias", 1.0),
        nsize=call.attribute("size"),
        name=call.name,
    )


@converts("MeanVarianceNormalization")
def _standardised(call: Call) -> Symbol:
    axes = tuple(call.integers("axes") or (0, 2, 3))
    x = call.tensor(0)
    middle = sym.broadcast_sub(x, sym.mean(x, axis=axes, keepdims=True))
    deviation = sym.sqrt(sym.mean(sym.square(middle), axis=axes, keepdims=True))
    return sym.broadcast_div(middle, deviation + 1e-9, name=call.name)


@converts("LpNormalization")
def _unit(call: Call) -> Symbol:
    x, axis = call.tensor(0), (call.axis(default=-1),)
    if call.attribute("p", 2) == 1:
        size = sym.sum(sym.abs(x), axis=axis, keepdims=True)
    else:
        size = sym.sqrt(sym.sum(sym.square(x), axis=axis, keepdims=True))
    # Zeros stay zeros.
    return sym.broadcast_div(x, sym.broadcast_add(size, sym._equal_scalar(size, scalar=0.0)), name=call.name)


# -- along one axis -------------------------------------------------------------------------------------------------


def _along(call: Call, compute: Callable[[Symbol, int, str | None], Symbol]) -> Symbol:
    """Before version 13 all axes from ``axis`` on count as one."""
    rank = len(call.held_shape())
    axis = call.axis(default=-1 if call.opset >= 13 else 1) if rank > 1 else 0
    x = call.tensor(0)
    if call.opset >= 13 or axis == rank - 1:
        return compute(x, axis, call.name)
    flat = sym.reshape(x, shape=(*(0,) * axis, -1)) if axis else sym.reshape(x, shape=(1, -1))
    return sym.reshape_like(compute(flat, -1, None), x, name=call.name)


@converts("Softmax")
def _softmax(call: Call) -> Symbol:
    return _along(call, lambda x, axis, name: sym.softmax(x, axis=axis, name=name))


@converts("LogSoftmax")
def _log_softmax(call: Call) -> Symbol:
    return _along(call, lambda x, axis, name: sym.log_softmax(x, axis=axis, name=name))


@converts("Hardmax")
def _hardmax(call: Call) -> Symbol:
    rank = len(call.shape())
    axis = call.axis(default=-1 if call.opset >= 13 else 1)
    sizes = call.numbers(call.shape()[axis:] if call.opset < 13 else call.shape()[axis : axis + 1])
    if sizes is None or any(isinstance(size, Size) for size in sizes):
        call.refuse("the size of its axis must be a number: export the model with fixed shapes.")
    depth = int(np.prod(sizes))

    def hot(x: Symbol, place: int, name: str | None) -> Symbol:
        largest = sym.one_hot(sym.argmax(x, axis=place), depth=depth)
        if place in (-1, rank - 1):
            return sym.identity(largest, name=name)
        order = list(range(rank - 1))
        order.insert(place, rank - 1)
        return sym.transpose(largest, axes=tuple(order), name=name)

    return _along(call, hot)
