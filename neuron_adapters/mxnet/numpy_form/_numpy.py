"""Deep NumPy's operators that MXNet computes in a way of its own where numbers are not finite."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neuron_adapters.mxnet.numpy_form._mxnet import OPERATORS, _corrected, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array, _div
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor
from neuron_adapters.mxnet.operators.numpy_sums import _axes, _wider

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
    x, axes = _accumulated(x.astype(_wider(x.dtype.name, outs[0].dtype))), _axes(at, x.ndim)
    return [_corrected(x, axes) if x.dtype.kind == "f" and axes else np.sum(x, axis=tuple(axes))]


def _accumulated(x: Array) -> Array:
    """Return floats as MXNet adds them up: float16 in float32, float32 in float64."""
    return x.astype({"float16": "float32", "float32": "float64"}.get(x.dtype.name, x.dtype.name))


@operator("_npi_mean")
def _mean(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    """Of no numbers 0."""
    return [_share(outs, _sum(at, outs, x)[0], max(1, math.prod(x.shape[axis] for axis in _axes(at, x.ndim))))]


def _share(outs: list[Tensor], total: Array, count: int) -> Array:
    """Divide a sum, which becomes an integer first where the output is one."""
    total = np.asarray(total).astype(outs[0].dtype)
    divisor = np.full_like(total, count)
    return _div(total, divisor) if total.dtype.kind in "iu" else total / divisor


@operator("_npi_var")
def _variance(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    """Of integers in their own type, whose mean has no fraction."""
    axes = tuple(_axes(at, x.ndim))
    size = math.prod(x.shape[axis] for axis in axes)
    whole = x.dtype.kind != "f"
    x = x if whole else _accumulated(x.astype(_wider(x.dtype.name, outs[0].dtype)))
    total = np.sum(x, axis=axes, keepdims=True, dtype=x.dtype)
    middle = x - (_div(total, np.full_like(total, size)) if whole else total / x.dtype.type(size))
    squares = np.sum(middle * middle, axis=axes, dtype=outs[0].dtype if whole else x.dtype)
    return [_share(outs, squares, max(size - at.integer("ddof", 0), 0))]


@operator("_npi_std")
def _deviation(at: Attributes, outs: list[Tensor], x: Array) -> Sequence[Array]:
    """The root of what the output's type holds of the variance."""
    return [np.sqrt(_variance(at, outs, x)[0].astype(outs[0].dtype))]
