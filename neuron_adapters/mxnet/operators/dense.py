"""Matrix products, those of attention included."""

from __future__ import annotations

import math
from math import prod

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import (
    MaybeShape,
    Shape,
    Shapes,
    arguments,
    axis_of,
    rank_at_least,
    unify,
    with_bias,
)


def _connected_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    hidden = at.integer("num_hidden")
    if hidden < 1:
        raise ValueError(f"attribute num_hidden must be at least 1, got {hidden}")
    flatten = at.flag("flatten", default=True)
    data = ins[0]
    if data is None:  # MXNet infers nothing then
        return ins, outs
    width = prod(data[1:]) if flatten else data[-1]
    ins[1] = unify(ins[1], (hidden, width), "weight")
    if len(ins) > 2:
        ins[2] = unify(ins[2], (hidden,), "bias")
    output: MaybeShape = (data[0], hidden) if flatten else (*data[:-1], hidden)
    output = unify(outs[0], output, "output")
    if output is not None:
        # The batch may be known only from what comes after.
        ins[0] = (output[0], *data[1:]) if flatten else (*output[:-1], data[-1])
    return ins, [output]


@operator("FullyConnected", inputs=with_bias(default_no_bias=False), shapes=_connected_shapes)
def _fully_connected(to: Builder, at: Attributes, data: Tensor, weight: Tensor, bias: Tensor | None = None) -> Value:
    flatten = at.flag("flatten", default=True)
    x: Value = to.reshape(data, [data.shape[0], -1]) if flatten and len(data.shape) != 2 else data
    if flatten or len(data.shape) == 2:
        return to.Gemm(x, weight, bias, transB=1) if bias is not None else to.Gemm(x, weight, transB=1)
    product = to.MatMul(x, to.transpose(weight, [1, 0]))
    return product if bias is None else to.Add(product, bias)


def _dot_shape(at: Attributes, left: Shape, right: Shape) -> Shape:
    rows = left[1:] if at.flag("transpose_a", default=False) else left[:-1]
    columns = right[:-1] if at.flag("transpose_b", default=False) else right[1:]
    inner = left[0] if at.flag("transpose_a", default=False) else left[-1]
    other = right[-1] if at.flag("transpose_b", default=False) else right[0]
    if inner != other:
        raise ValueError(f"the summed sizes must be equal, got {inner} and {other}")
    return (*rows, *columns) or (1,)


@operator("dot", inputs=("lhs", "rhs"), shape=_dot_shape)
def _dot(to: Builder, at: Attributes, left: Tensor, right: Tensor) -> Value:
    """Multiply along the last axis of the left and the first of the right; with a transpose flag, along the other
    end."""
    if at.flag("transpose_a", default=False):
        rows = to.transpose(to.reshape(left, [left.shape[0], -1]), [1, 0])
    else:
        rows = to.reshape(left, [-1, left.shape[-1]])
    if at.flag("transpose_b", default=False):
        columns = to.transpose(to.reshape(right, [-1, right.shape[-1]]), [1, 0])
    else:
        columns = to.reshape(right, [right.shape[0], -1])
    return to.reshape(to.MatMul(rows, columns), to.outputs[0].shape)


def _matrix_shape(at: Attributes, left: Shape, right: Shape, *_more: Shape) -> Shape:
    rank_at_least(2, left)
    first = left[:-2] + (left[:-3:-1] if at.flag("transpose_a", default=False) else left[-2:])
    second = right[:-2] + (right[:-3:-1] if at.flag("transpose_b", default=False) else right[-2:])
    if first[:-2] != second[:-2] or first[-1] != second[-2]:
        raise ValueError(f"{first} and {second} (transposed as asked) must agree in the batch and the summed size")
    return (*first[:-1], second[-1])


def _product(to: Builder, at: Attributes, left: Value, right: Value, rank: int) -> Value:
    if at.flag("transpose_a", default=False):
        left = to.swap(left, rank, -1, -2)
    if at.flag("transpose_b", default=False):
        right = to.swap(right, rank, -1, -2)
    return to.MatMul(left, right)


@operator("batch_dot", inputs=("lhs", "rhs"), shape=_matrix_shape)
def _batch_dot(to: Builder, at: Attributes, left: Tensor, right: Tensor) -> Value:
    return _product(to, at, left, right, len(left.shape))


def _moved(at: Attributes, shape: Shape) -> list[int]:
    """Return the order of axes that brings the rows, at ``axis``, next to the columns."""
    axis = axis_of(at.integer("axis", -2), len(shape))
    return [place for place in range(len(shape) - 1) if place != axis] + [axis, len(shape) - 1]


def _back(order: list[int]) -> list[int]:
    return [order.index(place) for place in range(len(order))]


def _gemm_shape(at: Attributes, left: Shape, right: Shape, *more: Shape) -> Shape:
    order = _moved(at, left)
    product = _matrix_shape(at, tuple(left[place] for place in order), tuple(right[place] for place in order))
    result = tuple(product[place] for place in _back(order))
    if more and more[0] != result:
        raise ValueError(f"C must be {result}")
    return result


@operator("_linalg_gemm2", inputs=("A", "B"), shape=_gemm_shape)
def _gemm2(to: Builder, at: Attributes, left: Tensor, right: Tensor) -> Value:
    order = _moved(at, left.shape)
    product = _product(to, at, to.transpose(left, order), to.transpose(right, order), len(order))
    return to.Mul(to.transpose(product, _back(order)), at.number("alpha", 1.0))


@operator("_linalg_gemm", inputs=("A", "B", "C"), shape=_gemm_shape)
def _gemm(to: Builder, at: Attributes, left: Tensor, right: Tensor, added: Tensor) -> Value:
    product = _gemm2(to, at, left, right)
    assert isinstance(product, Value)
    return to.Add(product, to.Mul(added, at.number("beta", 1.0)))


def _syrk_shape(at: Attributes, data: Shape) -> Shape:
    rank_at_least(2, data)
    size = data[-1] if at.flag("transpose", default=False) else data[-2]
    return (*data[:-2], size, size)


@operator("_linalg_syrk", inputs=("A",), shape=_syrk_shape)
def _syrk(to: Builder, at: Attributes, data: Tensor) -> Value:
    turned = to.swap(data, len(data.shape), -1, -2)
    pair = (turned, data) if at.flag("transpose", default=False) else (data, turned)
    return to.Mul(to.MatMul(*pair), at.number("alpha", 1.0))


def _column_products(_at: Attributes, *shapes: Shape) -> Shape:
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes):
        raise ValueError(f"the inputs must be matrices of as many columns, got {', '.join(map(str, shapes))}")
    return (prod(shape[0] for shape in shapes), shapes[0][1])


@operator("khatri_rao", inputs=arguments, shape=_column_products, variadic="num_args")
def _khatri_rao(to: Builder, _at: Attributes, first: Tensor, *others: Tensor) -> Value:
    """Compute the Kronecker product column by column."""
    product: Value = first
    for other in others:
        product = to.reshape(to.Mul(to.unsqueeze(product, 1), to.unsqueeze(other, 0)), [-1, first.shape[1]])
    return product


def _width(at: Attributes, data: Shape, parts: int) -> int:
    rank_at_least(3, data)
    whole = at.integer("heads") * parts
    if data[2] % whole:
        raise ValueError(f"attribute heads ({at.integer('heads')}) times {parts} must divide {data[2]}")
    return data[2] // whole


def _part(to: Builder, at: Attributes, data: Tensor, parts: int, index: int) -> Value:
    """Select one of the interleaved parts, as (batch x heads, length, width)."""
    length, batch, _ = data.shape
    heads, width = at.integer("heads"), _width(at, data.shape, parts)
    split = to.reshape(data, [length, batch * heads, parts, width])
    return to.transpose(to.at(split, 2, index), [1, 0, 2])


def _scores(to: Builder, queries: Value, keys: Value, width: int) -> Value:
    return to.MatMul(to.Mul(queries, 1.0 / math.sqrt(width)), to.transpose(keys, [0, 2, 1]))


def _joined(to: Builder, attention: Value, values: Value, shape: Shape) -> Value:
    """Multiply and bring back to (length, batch, heads x width)."""
    return to.reshape(to.transpose(to.MatMul(attention, values), [1, 0, 2]), shape)


def _self_scores_shape(at: Attributes, data: Shape) -> Shape:
    _width(at, data, 3)
    return (data[1] * at.integer("heads"), data[0], data[0])


@operator("_contrib_interleaved_matmul_selfatt_qk", inputs=("queries_keys_values",), shape=_self_scores_shape)
def _self_scores(to: Builder, at: Attributes, data: Tensor) -> Value:
    queries, keys = (_part(to, at, data, 3, index) for index in (0, 1))
    return _scores(to, queries, keys, _width(at, data.shape, 3))


def _self_values_shape(at: Attributes, data: Shape, _attention: Shape) -> Shape:
    return (data[0], data[1], at.integer("heads") * _width(at, data, 3))


@operator("_contrib_interleaved_matmul_selfatt_valatt", inputs=("queries_keys_values", "attention"),
          shape=_self_values_shape)  # fmt: skip
def _self_values(to: Builder, at: Attributes, data: Tensor, attention: Tensor) -> Value:
    return _joined(to, attention, _part(to, at, data, 3, 2), to.outputs[0].shape)


def _cross_scores_shape(at: Attributes, queries: Shape, keys: Shape) -> Shape:
    if _width(at, queries, 1) != _width(at, keys, 2) or queries[1] != keys[1]:
        raise ValueError(f"queries {queries} and keys_values {keys} must have one batch and one width")
    return (queries[1] * at.integer("heads"), queries[0], keys[0])


@operator("_contrib_interleaved_matmul_encdec_qk", inputs=("queries", "keys_values"), shape=_cross_scores_shape)
def _cross_scores(to: Builder, at: Attributes, queries: Tensor, keys: Tensor) -> Value:
    return _scores(to, _part(to, at, queries, 1, 0), _part(to, at, keys, 2, 0), _width(at, keys.shape, 2))


def _cross_values_shape(at: Attributes, keys: Shape, attention: Shape) -> Shape:
    return (attention[1], keys[1], at.integer("heads") * _width(at, keys, 2))


@operator("_contrib_interleaved_matmul_encdec_valatt", inputs=("keys_values", "attention"), shape=_cross_values_shape)
def _cross_values(to: Builder, at: Attributes, keys: Tensor, attention: Tensor) -> Value:
    return _joined(to, attention, _part(to, at, keys, 2, 1), to.outputs[0].shape)
