"""Arrays compared, with a tolerance for each dtype."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.ndarray import NDArray

__all__ = [
    "almost_equal", "assert_allclose", "assert_almost_equal", "assert_almost_equal_ignore_nan",
    "assert_almost_equal_with_err", "assert_exception", "checkShapes", "collapse_sum_like", "compare_ndarray_tuple",
    "default_atols", "default_dtype", "default_numeric_eps", "default_rtols", "effective_dtype", "get_atol", "get_etol",
    "get_rtol", "get_tolerance", "get_tols", "locationError", "np_reduce", "same", "same_array",
    "same_symbol_structure",
]  # fmt: skip

Array = np.ndarray[Any, Any]
#: One number, or a number for each dtype; None is the default of the dtype.
Tolerance = float | Mapping[Any, float] | None

_EXACT = ("bool", "int8", "uint8", "int32", "uint32", "int64", "uint64")


def default_dtype() -> Any:
    """Return the dtype of random data: ``numpy.float32``."""
    return np.float32


def default_rtols() -> dict[Any, float]:
    """Return the relative tolerance of each dtype."""
    return _by_dtype(float16=1e-2, float32=1e-4, float64=1e-5)


def default_atols() -> dict[Any, float]:
    """Return the absolute tolerance of each dtype."""
    return _by_dtype(float16=1e-1, float32=1e-3, float64=1e-20)


def default_numeric_eps() -> dict[Any, float]:
    """Return a small step for each dtype of floating-point numbers."""
    return {np.dtype("float16"): 2.0**-6, np.dtype("float32"): 2.0**-9, np.dtype("float64"): 2.0**-14}


def _by_dtype(**tolerances: float) -> dict[Any, float]:
    return {np.dtype(name): value for name, value in {**tolerances, **dict.fromkeys(_EXACT, 0.0)}.items()}


def get_rtol(rtol: float | None = None, dtype: Any = np.float64) -> float:
    """Return ``rtol``, or the default of ``dtype``."""
    return default_rtols()[np.dtype(dtype)] if rtol is None else rtol


def get_atol(atol: float | None = None, dtype: Any = np.float64) -> float:
    """Return ``atol``, or the default of ``dtype``."""
    return default_atols()[np.dtype(dtype)] if atol is None else atol


def get_etol(etol: float | None = None) -> float:
    """Return ``etol``, the share of elements that may differ, or 0."""
    return 0.0 if etol is None else etol


def effective_dtype(dat: Any) -> Any:
    """Return the dtype that decides the tolerance: that of ``dat``, since the CPU computes in it."""
    return np.dtype(dat.dtype)


def get_tolerance(dat: Any, tol: Tolerance, default_tol: Mapping[Any, float]) -> float:
    """Return the tolerance for an array: ``tol``, or what it or ``default_tol`` says for the dtype."""
    if isinstance(tol, numbers.Real):
        return float(tol)
    dtype = effective_dtype(dat)
    own: Mapping[Any, float] = tol or {}  # type: ignore[assignment]
    for known in (dtype, dtype.type):
        if known in own:
            return own[known]
    return default_tol[dtype]


def get_tols(x: Any, y: Any, rtol: Tolerance, atol: Tolerance) -> tuple[float, float]:
    """Return the tolerances for comparing two arrays: for each the larger of theirs."""
    pair = [np.asarray(value) if isinstance(value, (numbers.Number, bool)) else value for value in (x, y)]
    relative, absolute = default_rtols(), default_atols()
    return (
        max(get_tolerance(value, rtol, relative) for value in pair),
        max(get_tolerance(value, atol, absolute) for value in pair),
    )


def _array(value: Any) -> Array:
    return value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)


def same(a: Any, b: Any) -> bool:
    """Whether shapes and elements are equal."""
    return np.array_equal(a, b)


def same_array(array1: NDArray, array2: NDArray) -> bool:
    """Whether both arrays are the same memory."""
    return array1.shape == array2.shape and np.may_share_memory(array1._array, array2._array)


def same_symbol_structure(sym1: Any, sym2: Any) -> bool:
    """Whether both graphs have the same operators in the same order."""
    first, second = ([node.op for node in symbol._analysis().nodes] for symbol in (sym1, sym2))
    return all(left == right for left, right in zip(first, second))


def checkShapes(a: Any, b: Any) -> None:  # noqa: N802 - MXNet's name
    """Raise AssertionError where the shapes differ."""
    if a.shape != b.shape:
        raise AssertionError(f"the shapes {a.shape} and {b.shape} differ")


def almost_equal(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    use_broadcast: bool = True,
) -> bool:
    """Whether ``abs(a - b) <= atol + rtol * abs(b)`` everywhere. Not ``use_broadcast``: shapes must be equal, else it
    is an AssertionError."""
    first, second = _array(a), _array(b)
    if not use_broadcast:
        checkShapes(first, second)
    try:
        return np.allclose(first, second, get_rtol(rtol), get_atol(atol), equal_nan)
    except ValueError:  # no shape for both
        return False


def assert_almost_equal(
    a: Any,
    b: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    use_broadcast: bool = True,
    mismatches: Sequence[int] = (10, 10),
) -> None:
    """Raise AssertionError where two arrays differ by more than the tolerances, which are the dtypes' where none are
    given. It shows the ``mismatches[0]`` largest differences."""
    relative, absolute = get_tols(a, b, rtol, atol)
    first, second = _array(a), _array(b)
    if not use_broadcast:
        checkShapes(first, second)
    if first.dtype == second.dtype == np.bool_:
        np.testing.assert_equal(first, second)
    elif not almost_equal(first, second, relative, absolute, equal_nan):
        raise AssertionError(_differences(first, second, relative, absolute, names, equal_nan, mismatches[0]))


def _wrong(a: Array, b: Array, rtol: float, atol: float, equal_nan: bool) -> tuple[Array, Array, Array]:
    """Return both arrays in one shape, and which elements differ by more than the tolerances."""
    first, second = np.broadcast_arrays(a, b)
    return first, second, ~np.isclose(first, second, rtol, atol, equal_nan)


def _differences(a: Array, b: Array, rtol: float, atol: float, names: Sequence[str], equal_nan: bool, most: int) -> str:
    try:
        first, second, wrong = _wrong(a, b, rtol, atol, equal_nan)
    except ValueError:
        return f"{names[0]} has the shape {a.shape}, and {names[1]} {b.shape}"
    with np.errstate(all="ignore"):
        excess = np.abs(first.astype("f8") - second.astype("f8")) / (atol + rtol * np.abs(second.astype("f8")) + 1e-20)
    excess = np.where(wrong, np.nan_to_num(excess, nan=np.inf), -1.0)
    order = np.argsort(-excess, axis=None)[: min(most, int(wrong.sum()))]
    head = (
        f"{names[0]} and {names[1]} differ in {int(wrong.sum())} of {wrong.size} elements by more than rtol={rtol:g} "
        f"and atol={atol:g}; the largest differences, in units of the tolerance:"
    )
    lines = [head]
    for flat in order:
        place = tuple(int(part) for part in np.unravel_index(flat, wrong.shape))
        lines.append(f"  {excess[place]:g} at {place}: {names[0]}={first[place]}, {names[1]}={second[place]}")
    return "\n".join(lines)


def assert_allclose(a: Any, b: Any, rtol: float = 1e-07, atol: float = 0, equal_nan: bool = True) -> None:
    """Raise AssertionError where two arrays differ by more than these tolerances."""
    assert_almost_equal(a, b, rtol, atol, equal_nan=equal_nan)


def assert_almost_equal_with_err(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    etol: float | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    mismatches: Sequence[int] = (10, 10),
) -> None:
    """Raise AssertionError where more than the share ``etol`` of the elements differ."""
    first, second = _array(a), _array(b)
    relative, absolute = get_rtol(rtol), get_atol(atol)
    if etol and first.shape == second.shape:
        _first, _second, wrong = _wrong(first, second, relative, absolute, equal_nan)
        if wrong.mean() <= etol:
            return
    if not almost_equal(first, second, relative, absolute, equal_nan):
        raise AssertionError(_differences(first, second, relative, absolute, names, equal_nan, mismatches[0]))


def assert_almost_equal_ignore_nan(
    a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None, names: Sequence[str] = ("a", "b")
) -> None:
    """Compare as ``assert_almost_equal`` does, except where one of the two is NaN."""
    first, second = np.copy(_array(a)), np.copy(_array(b))
    unknown = np.isnan(first) | np.isnan(second)
    first[unknown] = second[unknown] = 0
    assert_almost_equal(first, second, rtol, atol, names)


def compare_ndarray_tuple(t1: Any, t2: Any, rtol: Tolerance = None, atol: Tolerance = None) -> None:
    """Compare two arrays, or nested tuples of them; None equals None."""
    if t1 is None or t2 is None:
        if t1 is not t2:
            raise AssertionError(f"one is None: {t1!r}, {t2!r}")
    elif isinstance(t1, tuple):
        for first, second in zip(t1, t2, strict=True):
            compare_ndarray_tuple(first, second, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol, atol)


def assert_exception(f: Callable[..., Any], exception_type: Any, *args: Any, **kwargs: Any) -> None:
    """Raise AssertionError unless the call raises an ``exception_type``."""
    with contextlib.suppress(exception_type):
        f(*args, **kwargs)
        raise AssertionError(f"{f!r} raised no {exception_type}")


def np_reduce(dat: Array, axis: Any, keepdims: bool, numpy_reduce_func: Callable[..., Any]) -> Any:
    """Reduce over ``axis``, one or several of them, by a function of NumPy's that takes one."""
    axes = range(dat.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    result = dat
    shape = list(dat.shape)
    for place in sorted((axis % dat.ndim for axis in axes), reverse=True):
        result = numpy_reduce_func(result, axis=place)
        shape[place] = 1
    return result.reshape(shape) if keepdims else result


def collapse_sum_like(a: Array, shape: Sequence[int]) -> Array:
    """Sum ``a`` over the axes along which an array of ``shape`` would be broadcast to it."""
    if 0 in (*shape, a.size):
        return np.zeros(shape, a.dtype)
    more = a.ndim - len(shape)
    axes = [*range(more), *(more + place for place, size in enumerate(shape) if size != a.shape[more + place])]
    return np.asarray(np.sum(a, axis=tuple(axes)).reshape(shape))


def locationError(a: Any, b: Any, index: Any, names: Sequence[str], maxError: bool = False) -> str:  # noqa: N802, N803
    """Return the text that says where two arrays differ, and their values there."""
    kind = "maximum " if maxError else ""
    return f"Location of {kind}error: {index}, {names[0]}={a[index]:.8f}, {names[1]}={b[index]:.8f}"
