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
from neuron_adapters.mxnet.numpy._array import by_operator, ndarray, wrapped
from neuron_adapters.mxnet.numpy._array import places as _places
from neuron_adapters.mxnet.numpy._array import take as _take

__all__ = ["array", "blackman", "empty", "hamming", "hanning", "indices", "ndarray", "ones", "random", "where", "zeros"]

#: Functions that make arrays from nothing, of float32.
_MAKE = ("arange", "eye", "full", "identity", "linspace", "logspace", "tri")
#: Functions that compute by MXNet's operators.
_OPERATORS = (
    "abs", "absolute", "add", "all", "amax", "amin", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "around", "average", "bitwise_and", "bitwise_not", "bitwise_or",
    "bitwise_xor", "cbrt", "ceil", "clip", "copysign", "cos", "cosh", "cumsum", "deg2rad", "degrees", "diff",
    "divide", "dot", "ediff1d", "equal", "exp", "expm1", "fabs", "fix", "floor", "greater", "greater_equal", "hypot",
    "inner", "invert",
    "isfinite", "isinf", "isnan", "isneginf", "isposinf", "lcm", "ldexp", "less", "less_equal", "log", "log10",
    "log1p", "log2", "logical_not", "matmul", "max", "maximum", "mean", "min", "minimum", "mod", "multiply",
    "negative", "not_equal", "outer", "percentile", "power", "prod", "quantile", "rad2deg", "radians", "reciprocal",
    "remainder", "rint", "round", "sign", "sin", "sinh", "sqrt", "square", "std", "subtract", "sum", "tan", "tanh",
    "tensordot", "trace", "true_divide", "trunc", "var", "vdot",
)  # fmt: skip
#: NumPy's functions; what is float64 for whole numbers is float32.
_FUNCTIONS = (
    "append", "argsort", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "bincount", "broadcast_arrays",
    "broadcast_to", "column_stack", "concatenate", "copy", "delete", "diag", "diag_indices_from", "diagflat",
    "diagonal", "dsplit", "dstack", "einsum", "empty_like", "expand_dims", "flip", "fliplr",
    "flipud", "full_like", "histogram", "hsplit", "hstack", "insert", "logical_and", "logical_or", "logical_xor",
    "may_share_memory", "median", "meshgrid", "moveaxis", "nan_to_num", "nanmean", "nanstd", "nansum", "nanvar",
    "nonzero", "ones_like", "pad", "polyval", "ravel", "repeat", "reshape", "resize", "roll", "rot90", "shape",
    "shares_memory", "sort", "split", "squeeze", "stack", "swapaxes", "take", "tile", "transpose", "tril", "triu",
    "unique", "unravel_index", "vsplit", "vstack", "zeros_like",
)  # fmt: skip
#: Functions that MXNet leaves to NumPy: dtypes and numbers are NumPy's.
_NUMPYS = (
    "allclose", "alltrue", "apply_along_axis", "apply_over_axes", "argpartition", "argwhere", "array_equal",
    "array_equiv", "choose", "compress", "corrcoef", "correlate", "count_nonzero", "cov", "digitize", "divmod",
    "extract", "flatnonzero", "float_power", "frexp", "heaviside", "histogram2d", "histogram_bin_edges",
    "histogramdd", "i0", "interp", "intersect1d", "isclose", "isin", "ix_", "lexsort", "min_scalar_type", "modf",
    "msort", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmedian", "nanmin", "nanpercentile",
    "nanprod", "nanquantile", "ndim", "packbits", "partition", "piecewise", "poly", "polyadd", "polydiv", "polyfit",
    "polyint", "polymul", "polysub", "positive", "promote_types", "ptp", "real", "result_type", "rollaxis", "roots",
    "searchsorted", "select", "setdiff1d", "setxor1d", "signbit", "size", "spacing", "take_along_axis", "trapz",
    "tril_indices_from", "trim_zeros", "triu_indices_from", "union1d", "unpackbits", "unwrap", "vander",
)  # fmt: skip
#: Names of MXNet's that NumPy has no more.
_ALIASES = {
    "in1d": "isin", "product": "prod", "round_": "round", "row_stack": "vstack", "sometrue": "any",
}  # fmt: skip

pi: float = _np.pi
e: float = _np.e
inf: float = _np.inf
nan: float = _np.nan
NAN = NaN = nan
PINF, NINF, PZERO, NZERO = inf, -inf, 0.0, -0.0
finfo = _np.finfo
newaxis: None = None
float16, float32, float64 = _np.float16, _np.float32, _np.float64
int8, int32, int64, uint8, bool_ = _np.int8, _np.int32, _np.int64, _np.uint8, _np.bool_
bool = bool_  # noqa: A001 - MXNet's name


def array(object: Any, dtype: Any = None, ctx: Any = None) -> ndarray:  # noqa: A002 - MXNet's name
    """Make an array; of float32 unless ``object`` is an array or a number of NumPy's, or ``dtype`` says otherwise."""
    source = object._array if isinstance(object, NDArray) else object
    if dtype is None:
        dtype = getattr(source, "dtype", _np.float32)
    try:
        array = _np.array(source, dtype_of(dtype), order="C")
    except OverflowError:  # whole numbers that the dtype does not hold wrap
        array = _np.array(source, order="C").astype(dtype_of(dtype))
    return ndarray(array, ctx)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Choose from ``x`` where ``condition`` holds, else from ``y``; without these two, give the places where it is."""
    return __getattr__("nonzero")(condition) if x is None and y is None else by_operator("where")(condition, x, y)


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


def _msort(a: Any) -> Any:
    return _np.sort(a, axis=0)


def _trapz(*args: Any, **keywords: Any) -> Any:
    return getattr(_np, "trapezoid" if hasattr(_np, "trapezoid") else "trapz")(*args, **keywords)


def _by_word(name: str) -> Callable[..., Any]:
    """Make NumPy's function, of which a keyword has another name in later versions, take MXNet's."""

    def call(*args: Any, interpolation: str = "linear", **keywords: Any) -> Any:
        return getattr(_np, name)(*args, **{"method": interpolation, **keywords})

    return call


def _unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    """In the dtype of the indices."""
    places = _np.asarray(indices)
    axes = _np.unravel_index(places.astype(_np.int64), shape, order)  # type: ignore[call-overload] # any order
    return tuple(_np.asarray(axis).astype(places.dtype) for axis in axes)


def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Without weights, in the dtype of ``x``."""
    counts = _np.bincount(x, weights, minlength)
    return counts.astype(x.dtype) if weights is None and isinstance(x, _np.ndarray) else counts


def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    return _np.delete(arr, _places(obj), axis)


def _count_nonzero(a: Any, axis: Any = None, **keywords: Any) -> Any:
    """Of everything, a whole number of Python's."""
    counts = _np.count_nonzero(a, axis, **keywords)
    return int(counts) if isinstance(counts, _np.integer) else counts


def _listed(name: str) -> Callable[..., Any]:
    """Make NumPy's function, which gives a tuple in later versions, give a list."""

    def call(*args: Any, **keywords: Any) -> Any:
        result = getattr(_np, name)(*args, **keywords)
        return list(result) if isinstance(result, tuple) else result

    return call


def _nonzero(a: Any) -> Any:
    return _np.nonzero(_np.atleast_1d(a))


_LISTS = ("atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "histogram", "meshgrid")
#: MXNet's where they differ from NumPy's, or NumPy's have other names.
_OWN: dict[str, Callable[..., Any]] = {
    "alltrue": _np.all, "bincount": _bincount, "count_nonzero": _count_nonzero, "delete": _delete, "msort": _msort,
    "nonzero": _nonzero, "take": _take, "trapz": _trapz, "unravel_index": _unravel_index,
    **{name: _by_word(name) for name in ("nanpercentile", "nanquantile")},
    **{name: _listed(name) for name in _LISTS},
}  # fmt: skip
_missing = missing_names("mx.np")


def __getattr__(name: str) -> Any:
    if name in _OPERATORS:
        function = by_operator(name)
    elif name in _MAKE:
        function = wrapped(getattr(_np, name), default=_np.float32)
    elif name in _NUMPYS or name in _OWN or name in _FUNCTIONS:
        compute = _OWN.get(name) or getattr(_np, name)
        function = wrapped(compute, numpys=name in _NUMPYS)
        function.__name__ = name
    elif name in _ALIASES:
        return __getattr__(_ALIASES[name])
    elif name == "linalg":
        return import_module(f"{__name__}.{name}")
    else:
        return _missing(name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted({*__all__, *_MAKE, *_OPERATORS, *_FUNCTIONS, *_NUMPYS, *_OWN, *_ALIASES, "linalg"})
