"""What Gluon's transforms put in front of a network."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Builder, Tensor, Value
from neuron_adapters.mxnet.operators._registry import operator
from neuron_adapters.mxnet.operators._rules import Shape, of_dtype


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
    mean, deviation = (
        to.constant(np.array(at.numbers(name, (default,))).reshape(-1, 1, 1), data.dtype)
        for name, default in (("mean", 0.0), ("std", 1.0))
    )
    return to.Div(to.Sub(data, mean), deviation)
