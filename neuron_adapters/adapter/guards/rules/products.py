"""Sums of products: layers, attention and recurrent networks."""

from __future__ import annotations

import math

import numpy as np

from neuron_adapters.adapter.guards._values import Value, symmetric
from neuron_adapters.adapter.guards.rules._registry import Op, floats, rule
from neuron_rt import CompileError


def _summed(op: Op, count: int, weights: int = 1, axes: tuple[int, ...] = ()) -> Value:
    """``count`` products of inputs 0 and ``weights``. ``axes``: those of constant weights that are summed."""
    floats(op)
    array = op.constant(weights)
    if array is not None and axes:
        return symmetric(op.ins[0].size * float(np.abs(array).sum(axes, dtype=np.float64).max(initial=0)))
    return symmetric(op.ins[0].size * op.ins[weights].size * count)


@rule("MatMul")
def _matmul(op: Op) -> Value:
    first, second = op.shape(0), op.shape(1)
    count = first[0 if len(first) == 1 else -2 if op.attribute("transpose_a") else -1]
    axis = len(second) - 1 if op.attribute("transpose_b") or len(second) == 1 else len(second) - 2
    return _summed(op, count, axes=(axis,))


@rule("Convolution")
def _convolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[1:]), axes=tuple(range(1, len(weights))))


@rule("GroupConvolution")
def _group_convolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[2:]), axes=tuple(range(2, len(weights))))


@rule("ConvolutionBackpropData")
def _deconvolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights) // max(1, weights[1]), axes=(0, *range(2, len(weights))))


@rule("GroupConvolutionBackpropData")
def _group_deconvolution(op: Op) -> Value:
    weights = op.shape(1)
    return _summed(op, math.prod(weights[1:]) // max(1, weights[2]), axes=(1, *range(3, len(weights))))


@rule("Einsum")
def _einsum(op: Op) -> Value:
    floats(op)
    terms, result = op.attribute("equation").replace(" ", "").split("->")
    if "." in terms:
        raise CompileError("Einsum with an ellipsis is not examined")
    sizes = {label: size for index, term in enumerate(terms.split(",")) for label, size in zip(term, op.shape(index))}
    count = math.prod(size for label, size in sizes.items() if label not in result)
    return symmetric(count * math.prod(value.size for value in op.ins))


@rule("ScaledDotProductAttention")
def _attention(op: Op) -> Value:
    floats(op)
    query, key, value = op.ins[:3]
    scale = op.ins[4].size if len(op.ins) > 4 else 1.0
    scores = query.size * key.size * op.shape(0)[-1] * max(1.0, scale)
    if not scores < 1e38:
        return Value(-math.inf, math.inf, undefined=True)
    mask = op.ins[3] if len(op.ins) > 3 else None
    if mask is not None and math.prod(op.shape(3)) > 1:
        if op.attribute("causal"):
            raise CompileError("ScaledDotProductAttention both causal and with a mask is not examined")
        if mask.masked or not op.is_float(3):
            op.some_in_each_row(3, -1)
    return symmetric(value.size)


@rule("LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell")
def _recurrent(op: Op) -> list[Value]:
    floats(op)
    lstm, sequence = op.type.startswith("LSTM"), op.type.endswith("Sequence")
    state = op.ins[1].size
    steps = op.shape(0)[1] if sequence else 1
    weights = 3 + lstm if sequence else 2 + lstm
    if sequence and op.constant(weights - 1) is None:
        op.bound(weights - 1, 1, steps)  # the lengths
    inner = op.ins[0].size * op.ins[weights].size * op.shape(0)[-1]
    inner += max(1.0, state) * op.ins[weights + 1].size * op.shape(weights + 1)[-1] + op.ins[weights + 2].size
    if not inner < 1e38:
        return [Value(-math.inf, math.inf, undefined=True)] * 3
    if op.attribute("activations", ["tanh"])[-1] == "relu":
        raise CompileError(f"{op.type} with relu grows without a limit")
    out = symmetric(max(1.0, state))
    cell = [symmetric(op.ins[2].size + steps)] if lstm else []
    return [out, out, *cell] if sequence else [out, *cell]
