"""Deep NumPy's operators that MXNet computes in a way of its own where numbers are not finite."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet.numpy_form._mxnet import OPERATORS, _corrected, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.numpy_sums import _axes

#: Those that do what the classic operators do.
_SAME = {
    "_npi_cbrt": "cbrt", "_npi_cosh": "cosh", "_npi_expm1": "expm1", "_npi_hypot": "broadcast_hypot",
    "_npi_log10": "log10", "_npi_log1p": "log1p", "_npi_log2": "log2", "_npi_mod_scalar": "_mod_scalar",
    "_npi_rmod_scalar": "_rmod_scalar", "_npi_sign": "sign", "_npi_sinh": "sinh",
}  # fmt: skip
OPERATORS.update({name: OPERATORS[classic] for name, classic in _SAME.items()})


@operator("_npi_mod")
def _mod(at: Attributes, outs: list[Tensor], x: Array, y: Array) -> Sequence[Array]:
    return OPERATORS["broadcast_mod"](at, outs, x.astype(outs[0].dtype), y.astype(outs[0].dtype))


@operator("_np_sum")
def _sum(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    x, axes = x.astype(outs[0].dtype), _axes(at, x.ndim)
    return [_corrected(x, axes) if x.dtype.kind == "f" and axes else np.sum(x, axis=tuple(axes))]


@operator("_npi_mean")
def _mean(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    x, axes = x.astype(outs[0].dtype), _axes(at, x.ndim)
    total = _corrected(x, axes) if x.dtype.kind == "f" and axes else np.sum(x, axis=tuple(axes))
    return [total / math.prod(x.shape[axis] for axis in axes)]
