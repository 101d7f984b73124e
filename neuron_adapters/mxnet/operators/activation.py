"""Activations of layers."""

from __future__ import annotations

import math

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shapes, unify


@operator("Activation")
def _activation(to: Builder, at: Attributes, x: Tensor) -> Value:
    kinds = {"relu": "Relu", "sigmoid": "Sigmoid", "softrelu": "Softplus", "softsign": "Softsign", "tanh": "Tanh"}
    return to.node(kinds[at.choice("act_type", tuple(kinds))], 1, x)[0]


def _leaky_shapes(_at: Attributes, ins: Shapes, outs: Shapes) -> tuple[Shapes, Shapes]:
    shape = unify(ins[0], outs[0])
    gamma = ins[1:]
    if gamma == [None] and shape is not None:
        gamma = [(shape[1] if len(shape) > 1 else 1,)]
    return [shape, *gamma], [shape] * len(outs)


@operator("LeakyReLU", inputs=lambda at: ["data", "gamma"] if _leaky_kind(at) == "prelu" else ["data"],
          outputs=lambda at: ["output", "mask"] if _leaky_kind(at) == "rrelu" else ["output"],
          shapes=_leaky_shapes)  # fmt: skip
def _leaky_relu(to: Builder, at: Attributes, x: Tensor, gamma: Tensor | None = None) -> list[Value]:
    kind = _leaky_kind(at)
    if kind == "rrelu":
        # The slopes are drawn in training only; the mask is zeros at inference.
        slope = (at.number("lower_bound", 0.125) + at.number("upper_bound", 0.334)) / 2.0
        return [to.LeakyRelu(x, alpha=slope), to.constant(np.zeros(x.shape), x.dtype)]
    slope = at.number("slope", 0.25)
    if gamma is not None:
        wide = len(x.shape) > 1 and len(gamma.shape) == 1
        return [to.PRelu(x, to.reshape(gamma, [-1, *[1] * (len(x.shape) - 2)]) if wide else gamma)]
    if kind == "elu":
        return [to.Elu(x, alpha=slope)]
    if kind == "selu":
        return [to.Selu(x)]
    return [_gelu(to, x) if kind == "gelu" else to.LeakyRelu(x, alpha=slope)]


def _leaky_kind(at: Attributes) -> str:
    return at.choice("act_type", ("elu", "gelu", "leaky", "prelu", "rrelu", "selu"), "leaky")


def _gelu(to: Builder, x: Value) -> Value:
    """Apply the exact GELU: ``x`` times the normal distribution function, by the error function."""
    # Engines recognise this form as one function.
    return to.Mul(to.Mul(x, to.Add(to.Erf(to.Div(x, math.sqrt(2.0))), 1.0)), 0.5)


@operator("hard_sigmoid")
def _hard_sigmoid(to: Builder, at: Attributes, x: Tensor) -> Value:
    return to.Clip(to.Add(to.Mul(x, at.number("alpha", 0.2)), at.number("beta", 0.5)), 0.0, 1.0)
