"""Attention over projections that lie interleaved, as BERT's do: (length, batch, heads x parts x width)."""

from __future__ import annotations

import math

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, rank_at_least


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
