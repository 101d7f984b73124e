"""Random operators whose parameters are values, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.numpy_form._mxnet import operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor

for _name in ("gamma", "generalized_negative_binomial", "negative_binomial", "poisson"):

    @operator(f"_sample_{_name}")
    def _sample(_at: Attributes, outs: list[Tensor], *parameters: Array, name: str = _name) -> Sequence[Array]:
        shape = outs[0].shape
        wide = [each.reshape(*each.shape, *[1] * (len(shape) - each.ndim)).astype("f8") for each in parameters]
        try:
            return [_random.draw(name, [np.broadcast_to(each, shape) for each in wide], shape, outs[0].dtype)]
        except ValueError as error:
            raise MXNetError(f"there is no such distribution: {error}") from None
