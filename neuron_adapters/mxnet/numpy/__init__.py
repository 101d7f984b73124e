"""``mx.np``: arrays by NumPy's rules, as far as running exported deep-NumPy blocks takes.

Functions are NumPy's own on arrays that ``SymbolBlock`` takes. What is made from nothing is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as _np  # noqa: ICN001 - np is what users call this very module

from neuron_adapters.mxnet._training import missing_names
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._array import dtype_of
from neuron_adapters.mxnet.numpy import random
from neuron_adapters.mxnet.numpy._array import ndarray, wrapped

__all__ = ["array", "blackman", "empty", "hamming", "hanning", "indices", "ndarray", "ones", "random", "zeros"]

#: Functions that make arrays from nothing, of float32.
_MAKE = ("arange", "eye", "full", "identity", "linspace", "logspace", "tri")
_FUNCTIONS = (
    "abs", "absolute", "add", "all", "allclose", "amax", "amin", "any", "append", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort", "argwhere", "around",
    "array_equal", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "average", "bincount", "bitwise_and",
    "bitwise_not", "bitwise_or", "bitwise_xor", "broadcast_arrays", "broadcast_to", "cbrt", "ceil", "choose",
    "clip", "column_stack", "compress", "concatenate", "copy", "copysign", "corrcoef", "correlate", "cos", "cosh",
    "count_nonzero", "cov", "cumsum", "deg2rad", "degrees", "delete", "diag", "diag_indices_from", "diagflat",
    "diagonal", "diff", "digitize", "divide", "divmod", "dot", "dsplit", "dstack", "ediff1d", "einsum",
    "empty_like", "equal", "exp", "expand_dims", "expm1", "fabs", "fix", "flatnonzero", "flip", "fliplr", "flipud",
    "float_power", "floor", "floor_divide", "full_like", "greater", "greater_equal", "heaviside", "histogram",
    "hsplit", "hstack", "hypot", "inner", "insert", "interp", "intersect1d", "invert", "isclose", "isfinite",
    "isin", "isinf", "isnan", "isneginf", "isposinf", "lcm", "ldexp", "less", "less_equal", "lexsort", "log",
    "log10", "log1p", "log2", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul", "max", "maximum",
    "may_share_memory", "mean", "median", "meshgrid", "min", "minimum", "mod", "modf", "moveaxis", "multiply",
    "nan_to_num", "nanargmax", "nanargmin", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin",
    "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndim", "negative", "nonzero",
    "not_equal", "ones_like", "outer", "pad", "partition", "percentile", "polyval", "positive", "power", "prod",
    "ptp", "quantile", "rad2deg", "radians", "ravel", "reciprocal", "remainder", "repeat", "reshape", "resize",
    "rint", "roll", "rollaxis", "rot90", "round", "searchsorted", "setdiff1d", "shape", "shares_memory", "sign",
    "signbit", "sin", "sinh", "size", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract",
    "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose", "tril",
    "tril_indices_from", "triu", "triu_indices_from", "true_divide", "trunc", "union1d", "unique", "unravel_index",
    "vander", "var", "vdot", "vsplit", "vstack", "where", "zeros_like",
)  # fmt: skip
#: Names of MXNet's that NumPy has no more.
_ALIASES = {"product": "prod", "round_": "round", "row_stack": "vstack", "sometrue": "any"}

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


def zeros(shape: Any, dtype: Any = None, order: str = "C", ctx: Any = None) -> ndarray:
    """Make zeros, of float32 where no dtype is asked for. Raises NotImplementedError for another order."""
    _require_c(order)
    return ndarray(_np.zeros(shape, dtype_of(dtype or _np.float32)), ctx)


def ones(shape: Any, dtype: Any = None, order: str = "C", ctx: Any = None) -> ndarray:
    """Make ones, of float32 where no dtype is asked for. Raises NotImplementedError for another order."""
    _require_c(order)
    return ndarray(_np.ones(shape, dtype_of(dtype or _np.float32)), ctx)


empty = zeros


def _require_c(order: str) -> None:
    if order != "C":
        raise NotImplementedError(f"arrays of mx.np have the order C only, got {order!r}")


def _window(name: str) -> Callable[..., ndarray]:
    def window(M: int, dtype: Any = None, ctx: Any = None) -> ndarray:  # noqa: N803 - NumPy's
        return ndarray(getattr(_np, name)(M).astype(dtype_of(dtype or _np.float32)), ctx)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"Make NumPy's window {name}, of float32 where no dtype is asked for."
    return window


blackman, hamming, hanning = map(_window, ("blackman", "hamming", "hanning"))


def indices(dimensions: Any, dtype: Any = _np.int32, ctx: Any = None) -> ndarray:
    """Make the places in a grid, along each axis; of int32 where no dtype is asked for."""
    return ndarray(_np.indices(dimensions, dtype_of(dtype)), ctx)


def _around(x: Any, decimals: int = 0) -> Any:
    x = _np.asarray(x)
    if x.dtype.kind not in "iu" or decimals >= 0:
        return _np.around(x, decimals)
    unit = 10**-decimals  # MXNet cuts whole numbers off towards zero
    return x - _np.fmod(x, unit) if unit <= _np.iinfo(x.dtype).max else _np.zeros_like(x)


_around.__name__ = "around"
#: MXNet's where they differ from NumPy's.
_OWN = {"around": _around, "round": _around}
_missing = missing_names("mx.np")


def __getattr__(name: str) -> Any:
    if name in _MAKE or name in _FUNCTIONS:
        compute = _OWN.get(name) or getattr(_np, name)
        function = globals()[name] = wrapped(compute, default=_np.float32 if name in _MAKE else None)
        return function
    if name in _ALIASES:
        return __getattr__(_ALIASES[name])
    if name == "linalg":
        return import_module(f"{__name__}.linalg")
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_MAKE, *_FUNCTIONS, *_ALIASES, "linalg"})
