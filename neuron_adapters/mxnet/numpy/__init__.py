"""``mx.np``: arrays by NumPy's rules, as far as running exported deep-NumPy blocks takes.

Functions are NumPy's own on arrays that ``SymbolBlock`` takes. What is made from nothing is float32.
"""

from __future__ import annotations

from typing import Any

import numpy as _np  # noqa: ICN001 - np is what users call this very module

from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._array import dtype_of
from neuron_adapters.mxnet.numpy import random
from neuron_adapters.mxnet.numpy._array import ndarray, wrapped

__all__ = ["array", "ndarray", "random"]

#: Functions that make arrays from nothing, of float32.
_MAKE = ("arange", "empty", "eye", "full", "hanning", "identity", "linspace", "ones", "zeros")
_FUNCTIONS = (
    "abs", "absolute", "add", "all", "any", "arccos", "arcsin", "arctan", "arctan2", "argmax", "argmin", "argsort",
    "around", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_to", "cbrt", "ceil", "clip", "column_stack",
    "concatenate", "copy", "cos", "cosh", "cumsum", "diag", "dot", "dstack", "einsum", "equal", "exp", "expand_dims",
    "expm1", "flip", "floor", "floor_divide", "full_like", "greater", "greater_equal", "hstack", "isfinite", "isinf",
    "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul", "max", "maximum", "mean", "median", "min", "minimum", "mod", "moveaxis", "multiply",
    "nan_to_num", "negative", "nonzero", "not_equal", "ones_like", "pad", "power", "prod", "ravel", "reciprocal",
    "repeat", "reshape", "rint", "roll", "round", "shape", "sign", "sin", "sinh", "sort", "split", "sqrt", "square",
    "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "tan", "tanh", "tensordot", "tile", "transpose",
    "tril", "triu", "true_divide", "trunc", "unique", "var", "vstack", "where", "zeros_like",
)  # fmt: skip

pi: float = _np.pi
e: float = _np.e
inf: float = _np.inf
nan: float = _np.nan
newaxis: None = None
float16, float32, float64 = _np.float16, _np.float32, _np.float64
int8, int32, int64, uint8, bool_ = _np.int8, _np.int32, _np.int64, _np.uint8, _np.bool_
bool = bool_  # noqa: A001 - MXNet's name


def array(object: Any, dtype: Any = None, ctx: Any = None) -> ndarray:  # noqa: A002 - MXNet's name
    """Make an array; of float32 unless ``object`` is an array of another dtype, or ``dtype`` says otherwise."""
    source = object._array if isinstance(object, NDArray) else object
    if dtype is None:
        dtype = source.dtype if isinstance(source, _np.ndarray) and source.dtype != _np.float64 else _np.float32
    return ndarray(_np.array(source, dtype_of(dtype), order="C"), ctx)


def __getattr__(name: str) -> Any:
    if name in _MAKE or name in _FUNCTIONS:
        function = globals()[name] = wrapped(getattr(_np, name), default=_np.float32 if name in _MAKE else None)
        return function
    raise AttributeError(f"mx.np.{name} is not in this package: docs/mx.md says what is.")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MAKE, *_FUNCTIONS})
