"""Products of matrices."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.onnx._call import Call, lifted
from neuron_adapters.mxnet.onnx._operators import sym
from neuron_adapters.mxnet.onnx._sizes import Dims, Size
from neuron_adapters.mxnet.onnx.conversions._registry import converts
from neuron_adapters.mxnet.symbol import Symbol


@converts("Gemm")
def _gemm(call: Call) -> Symbol:
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    across, down = bool(call.attribute("transA", 0)), bool(call.attribute("transB", 0))
    shape = call.shape(1)
    hidden = shape[0 if down else 1]
    biased = call.has_input(2) and beta != 0
    plain = alpha == 1 and not across and down and call.known(1) is not None and isinstance(hidden, int)
    if plain and (not biased or (beta == 1 and call.shape(2) == (hidden,))):
        parts = [call.tensor(0), call.tensor(1)] + ([call.tensor(2)] if biased else [])
        return sym.FullyConnected(*parts, num_hidden=hidden, no_bias=not biased, flatten=False, name=call.name)
    product = sym.dot(
        call.tensor(0), call.tensor(1), transpose_a=across, transpose_b=down, name=None if biased else call.name
    )
    if alpha != 1:
        product = product * alpha
    if not biased:
        return product
    added = call.tensor(2)
    return sym.broadcast_add(product, added if beta == 1 else added * beta, name=call.name)


@converts("MatMul")
def _matmul(call: Call) -> Symbol:
    left, right = call.shape(0), call.shape(1)
    if not left or not right:
        call.refuse("it takes arrays with axes.")
    if len(right) <= 2 and len(left) + len(right) > 2:
        # Along the last axis of the left and the first of the right.
        return sym.dot(call.tensor(0), call.tensor(1), name=call.name)
    if len(right) == 1:
        return sym.dot(call.tensor(0), call.tensor(1), name=call.name)
    x, y = call.tensor(0), call.tensor(1)
    if len(left) == 1:
        x, left = sym.expand_dims(x, axis=0), (1, *left)
        product = _batched(x, left, y, right, None)
        return sym.squeeze(product, axis=(-2 % max(len(right), 2),), name=call.name)
    return _batched(x, left, y, right, call.name)


def _batched(x: Symbol, left: Dims, y: Symbol, right: Dims, name: str | None) -> Symbol:
    rank = max(len(left), len(right))
    x, left = lifted(x, len(left), rank), (1,) * (rank - len(left)) + left
    y, right = lifted(y, len(right), rank), (1,) * (rank - len(right)) + right
    grows = [axis for axis in range(rank - 2) if _is_one(left[axis]) and not _is_one(right[axis])]
    shrinks = [axis for axis in range(rank - 2) if _is_one(right[axis]) and not _is_one(left[axis])]
    wide, tall = x, y
    if grows:
        x = sym.broadcast_like(x, tall, lhs_axes=tuple(grows), rhs_axes=tuple(grows))
    if shrinks:
        y = sym.broadcast_like(y, wide, lhs_axes=tuple(shrinks), rhs_axes=tuple(shrinks))
    if rank == 3:
        return sym.batch_dot(x, y, name=name)
    return sym._linalg_gemm2(x, y, name=name)


def _is_one(size: int | Size) -> bool:
    return isinstance(size, int) and size == 1


@converts("Trilu")
def _triangle(call: Call) -> Symbol:
    *_, rows, columns = call.shape(0)
    if isinstance(rows, Size) or isinstance(columns, Size):
        call.refuse("the sizes of its last two axes must be numbers: export the model with fixed shapes.")
    k = int(call.scalar(1, "k")) if call.has_input(1) else 0
    ones = np.ones((rows, columns), np.float32)
    kept = np.triu(ones, k) if call.attribute("upper", 1) else np.tril(ones, k)
    x = call.tensor(0)
    mask = lifted(call.parameter(kept, "mask"), 2, len(call.shape(0)))
    return sym.where(sym.broadcast_like(mask, x), x, sym.zeros_like(x), name=call.name)
