"""ONNX operators on NumPy arrays that layers consist of: products, convolutions, pooling, normalisation, recurrence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.numpy_form._onnx import FUNCTIONS, Array, function


@function("MatMul")
def product(x: Array, y: Array) -> Array:
    """float16 is summed in float32."""
    if x.dtype == np.float16:
        return np.matmul(x.astype("f4"), y.astype("f4")).astype(x.dtype)
    return np.matmul(x, y)


@function("Gemm")
def _gemm(x: Array, weight: Array, bias: Array | None = None, transB: int = 0) -> Array:  # noqa: N803 - ONNX's name
    result = product(x, weight.T if transB else weight)
    return result if bias is None else result + bias


def windows(x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int] | None = None) -> Array:
    """The windows of padded data (batch, channels, ...): the places of the windows, then those within each."""
    spread = dilations or [1] * len(kernel)
    reach = [step * (size - 1) + 1 for step, size in zip(spread, kernel)]
    view = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(2, x.ndim)))
    places = tuple(slice(None, None, step) for step in strides)
    return view[(slice(None), slice(None), *places, *(slice(None, None, step) for step in spread))]


def padded(x: Array, pads: Sequence[int], fill: float = 0.0) -> Array:
    """``x`` (batch, channels, ...) with ``pads`` before and after each spatial axis."""
    rank = x.ndim - 2
    pairs = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:])]
    return np.pad(x, pairs, constant_values=fill) if any(pads) else x


@function("Conv")
def _convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    group: int,
) -> Array:
    rank = x.ndim - 2
    view = windows(padded(x, pads), kernel_shape, strides, dilations)
    sizes = view.shape[2 : 2 + rank]
    results = []
    for part, filters in zip(np.split(view, group, 1), np.split(weight, group, 0)):
        # (batch, places, channels and window) times (channels and window, filters)
        columns = np.moveaxis(part, 1, 1 + rank).reshape(x.shape[0], int(np.prod(sizes)), filters[0].size)
        results.append(product(columns, filters.reshape(len(filters), -1).T))
    result = np.moveaxis(np.concatenate(results, -1), -1, 1).reshape(x.shape[0], len(weight), *sizes)
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


@function("ConvTranspose")
def _deconvolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    group: int = 1,
) -> Array:
    rank = x.ndim - 2
    spread = dilations or [1] * rank
    more = output_padding or [0] * rank
    full = [
        (size - 1) * stride + step * (window - 1) + 1 + extra
        for size, stride, step, window, extra in zip(x.shape[2:], strides, spread, kernel_shape, more)
    ]
    channels = weight.shape[1]
    result = np.zeros((x.shape[0], group * channels, *full), x.dtype)
    for place in np.ndindex(*kernel_shape):
        target = tuple(
            slice(at * step, at * step + (size - 1) * stride + 1, stride)
            for at, step, size, stride in zip(place, spread, x.shape[2:], strides)
        )
        for number, (part, filters) in enumerate(zip(np.split(x, group, 1), np.split(weight, group, 0))):
            added = product(np.moveaxis(part, 1, -1), filters[(slice(None), slice(None), *place)])
            mine = slice(number * channels, (number + 1) * channels)
            result[(slice(None), mine, *target)] += np.moveaxis(added, -1, 1)
    inner = tuple(slice(before, size - after) for before, after, size in zip(pads[:rank], pads[rank:], full))
    result = result[(slice(None), slice(None), *inner)]
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


@function("MaxPool")
def _max_pool(x: Array, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int]) -> Array:
    rank = x.ndim - 2
    lowest = float(np.finfo(x.dtype).min) if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    view = windows(padded(x, pads, lowest), kernel_shape, strides)
    return np.max(view, axis=tuple(range(2 + rank, 2 + 2 * rank)))


@function("AveragePool")
def _average_pool(
    x: Array, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int], count_include_pad: int
) -> Array:
    rank = x.ndim - 2
    axes = tuple(range(2 + rank, 2 + 2 * rank))
    view = windows(padded(x, pads), kernel_shape, strides)
    if count_include_pad:
        return np.mean(view, axis=axes, dtype=x.dtype)
    counts = np.sum(windows(padded(np.ones_like(x), pads), kernel_shape, strides), axis=axes)
    return np.sum(view, axis=axes) / np.maximum(counts, 1)  # a window that covers nothing gives 0


@function("BatchNormalization")
def _batch_normalization(x: Array, scale: Array, shift: Array, mean: Array, var: Array, epsilon: float) -> Array:
    shape = (-1, *[1] * (x.ndim - 2))
    factor = scale / np.sqrt(var + x.dtype.type(epsilon))
    return (x - mean.reshape(shape)) * factor.reshape(shape) + shift.reshape(shape)


@function("LayerNormalization")
def _layer_normalization(x: Array, scale: Array, shift: Array, axis: int, epsilon: float) -> Array:
    middle = x - np.mean(x, axis=axis, keepdims=True)
    std = np.sqrt(np.mean(middle * middle, axis=axis, keepdims=True) + x.dtype.type(epsilon))
    return middle / std * scale + shift


@function("LRN")
def _local_response(x: Array, alpha: float, beta: float, bias: float, size: int) -> Array:
    before, squares = (size - 1) // 2, x * x
    total = np.zeros_like(x)
    for channel in range(x.shape[1]):
        total[:, channel] = squares[:, max(0, channel - before) : channel + size - before].sum(1)
    return x * np.power(x.dtype.type(bias) + x.dtype.type(alpha / size) * total, x.dtype.type(-beta))


# -- recurrence -----------------------------------------------------------------------------------------------------

_sigmoid: Callable[[Array], Array] = FUNCTIONS["Sigmoid"]
_Cell = Callable[[Array, Array, Array, Array, list[Array]], list[Array]]


def _lstm_cell(x: Array, weight: Array, recurrent: Array, bias: Array, states: list[Array]) -> list[Array]:
    hidden, cell = states
    both = x @ weight.T + hidden @ recurrent.T + bias[: len(weight)] + bias[len(weight) :]
    enter, leave, forget, new = np.split(both, 4, -1)
    cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
    return [_sigmoid(leave) * np.tanh(cell), cell]


def _gru_cell(x: Array, weight: Array, recurrent: Array, bias: Array, states: list[Array]) -> list[Array]:
    (hidden,) = states
    mine, theirs = x @ weight.T + bias[: len(weight)], hidden @ recurrent.T + bias[len(weight) :]
    keep, reset, new = zip(np.split(mine, 3, -1), np.split(theirs, 3, -1))
    update = _sigmoid(keep[0] + keep[1])
    fresh = np.tanh(new[0] + _sigmoid(reset[0] + reset[1]) * new[1])
    return [(1 - update) * fresh + update * hidden]


def _positive(x: Array) -> Array:
    """relu, as the library behind MXNet's RNN has it: it makes 0 of NaN."""
    return np.where(x > 0, x, 0).astype(x.dtype)


def _plain_cell(activation: Callable[[Array], Array]) -> _Cell:
    def step(x: Array, weight: Array, recurrent: Array, bias: Array, states: list[Array]) -> list[Array]:
        both = x @ weight.T + states[0] @ recurrent.T + bias[: len(weight)] + bias[len(weight) :]
        return [activation(both)]

    return step


def _sequence(cell: _Cell, x: Array, weights: Sequence[Array], states: Sequence[Array]) -> list[Array]:
    """The outputs (length, directions, batch, width), and the last states; the second direction goes backwards."""
    outputs, finals = [], []
    for way in range(len(weights[0])):
        current = [state[way] for state in states]
        steps = []
        for row in x if way == 0 else x[::-1]:
            current = cell(row, weights[0][way], weights[1][way], weights[2][way], current)
            steps.append(current[0])
        outputs.append(np.stack(steps if way == 0 else steps[::-1]))
        finals.append(current)
    return [np.stack(outputs, 1), *(np.stack(each) for each in zip(*finals))]


@function("LSTM")
def _lstm(x: Array, weight: Array, recurrent: Array, bias: Array, _lengths: None, *states: Array, **_how: Any) -> Any:
    return _sequence(_lstm_cell, x, (weight, recurrent, bias), states)


@function("GRU")
def _gru(x: Array, weight: Array, recurrent: Array, bias: Array, _lengths: None, *states: Array, **_how: Any) -> Any:
    return _sequence(_gru_cell, x, (weight, recurrent, bias), states)


@function("RNN")
def _rnn(
    x: Array, weight: Array, recurrent: Array, bias: Array, _lengths: None, state: Array, *,
    activations: Sequence[str], **_how: Any,
) -> Any:  # fmt: skip
    activation = _positive if activations[0] == "Relu" else np.tanh
    return _sequence(_plain_cell(activation), x, (weight, recurrent, bias), [state])
