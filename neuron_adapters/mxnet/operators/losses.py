"""Softmax and its relatives, and loss layers, as they are at inference."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Dtypes, MaybeShape, Shapes, axis_of, unify


def _softmax_inputs(at: Attributes) -> list[str]:
    return ["data", "length"] if at.flag("use_length", default=False) else ["data"]


def _softmax_shapes(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(ins[0], outs[0])
    if shape is not None and len(ins) > 1:
        axis = axis_of(at.integer("axis", -1), len(shape))
        ins[1] = unify(ins[1], (*shape[:axis], *shape[axis + 1 :]), "length")
    return [shape, *ins[1:]], [shape]


def _softmax_dtypes(at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    dtype = at.dtype("dtype") if at.has("dtype") else ins[0]
    return [ins[0] or dtype, *ins[1:]], [dtype] * count


def _softmax(onnx: str, sign: float) -> Callable[..., Value]:
    def translate(to: Builder, at: Attributes, data: Tensor, length: Tensor | None = None) -> Value:
        axis = axis_of(at.integer("axis", -1), len(data.shape))
        dtype = to.outputs[0].dtype
        value: Value = to.cast(data, computing_dtype(data.dtype, dtype))
        temperature = at.number("temperature", 1.0)
        factor = sign / temperature if temperature else math.inf
        if factor != 1.0:
            value = to.Mul(value, factor)
        if length is None:
            return to.cast(to.node(onnx, 1, value, axis=axis)[0], dtype)
        inside = _inside(to, data, length, axis)
        lowest = to.constant(np.finfo(value.dtype).min, value.dtype)
        softmax = to.node(onnx, 1, to.Where(inside, value, lowest), axis=axis)[0]
        # Outside the length both give 0.
        return to.cast(to.Where(inside, softmax, to.constant(0.0, value.dtype)), dtype)

    return translate


def computing_dtype(source: str, asked: str) -> str:
    """Return the dtype in which MXNet computes a softmax of ``source`` whose result is ``asked``: float32 at least."""
    return "float64" if "float64" in (source, asked) else "float32"


def _inside(to: Builder, data: Tensor, length: Tensor, axis: int) -> Value:
    """Return whether a position along ``axis`` is within the length of its row."""
    shape = [1] * len(data.shape)
    shape[axis] = data.shape[axis]
    count = to.constant(np.arange(data.shape[axis]).reshape(shape), "int64")
    return to.Less(count, to.unsqueeze(to.cast(length, "int64"), axis))


for _name, _onnx, _sign in (
    ("softmax", "Softmax", 1.0),
    ("log_softmax", "LogSoftmax", 1.0),
    ("softmin", "Softmax", -1.0),
):
    operator(_name, inputs=_softmax_inputs, shapes=_softmax_shapes, dtypes=_softmax_dtypes)(_softmax(_onnx, _sign))


@operator("SoftmaxActivation")
def _softmax_activation(to: Builder, at: Attributes, data: Tensor) -> Value:
    return to.Softmax(data, axis=1 if at.choice("mode", ("instance", "channel"), "instance") == "channel" else -1)


def _labelled(label: Callable[[Attributes, tuple[int, ...]], tuple[int, ...]]) -> Callable[..., tuple[Shapes, Shapes]]:
    """Make a rule: the output has the shape of the data. The label, which inference never reads, has the shape that
    ``label`` gives unless it is known."""

    def rule(at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
        shape = unify(ins[0], outs[0])
        known: MaybeShape = ins[1]
        if shape is not None and (known is None or 0 in known):
            known = label(at, shape)
        return [shape, known], [shape]

    return rule


def _class_label(at: Attributes, data: tuple[int, ...]) -> tuple[int, ...]:
    if at.flag("multi_output", default=False):
        return (data[0], prod(data[2:]))
    return data[:-1]


def _label_dtypes(_at: Attributes, ins: Dtypes, count: int) -> tuple[Dtypes, Dtypes]:
    return [ins[0], ins[1] or ins[0]], [ins[0]] * count


@operator("SoftmaxOutput", inputs=("data", "label"), shapes=_labelled(_class_label), dtypes=_label_dtypes)
def _softmax_output(to: Builder, at: Attributes, data: Tensor, _label: Tensor) -> Value:
    if at.flag("multi_output", default=False):
        return to.Softmax(data, axis=1)
    if at.flag("preserve_shape", default=False) or len(data.shape) == 2:
        return to.Softmax(data, axis=-1)
    return to.reshape(to.Softmax(to.reshape(data, [data.shape[0], -1]), axis=1), data.shape)


_regression = _labelled(lambda _at, data: data)


@operator("LinearRegressionOutput", "MAERegressionOutput", inputs=("data", "label"), shapes=_regression,
          dtypes=_label_dtypes)  # fmt: skip
def _regression_output(_to: Builder, _at: Attributes, data: Tensor, _label: Tensor) -> Value:
    return data


@operator("LogisticRegressionOutput", inputs=("data", "label"), shapes=_regression, dtypes=_label_dtypes)
def _logistic_output(to: Builder, _at: Attributes, data: Tensor, _label: Tensor) -> Value:
    return to.Sigmoid(data)


operator("SVMOutput", inputs=("data", "label"), shapes=_labelled(lambda _at, data: data[:-1]), dtypes=_label_dtypes)(
    _regression_output
)


@operator("softmax_cross_entropy", inputs=("data", "label"), shape=lambda _at, _data, _label: (1,))
def _softmax_cross_entropy(to: Builder, _at: Attributes, data: Tensor, label: Tensor) -> Value:
    column = to.unsqueeze(to.cast(label, "int64"), 1)
    chosen = to.GatherElements(to.LogSoftmax(data, axis=1), column, axis=1)
    return to.reshape(to.Neg(to.reduce("ReduceSum", chosen, [0, 1])), [1])
