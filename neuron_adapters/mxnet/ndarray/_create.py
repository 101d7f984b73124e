"""Arrays from nothing, from Python's and from NumPy's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._training import refuse_sparse
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray, dtype_of
from neuron_adapters.mxnet.util import is_np_shape

Shape = int | Sequence[int]

#: What a machine may still have, so that a slip does not end the process.
_MOST = 2**47


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Copy to a new NDArray. Its dtype is that of a source NDArray, else float32 unless given, also for NumPy's arrays
    of float64.

    Raises TypeError for nested sequences of irregular shape.
    """
    if isinstance(source_array, NDArray):
        return NDArray(np.array(source_array._array, source_array.dtype if dtype is None else dtype_of(dtype)), ctx)
    try:
        with np.errstate(all="ignore"):
            copy = np.array(source_array, dtype_of(dtype), order="C")
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"array() takes numbers in a regular shape, got {type(source_array).__name__}: {error}"
        ) from None
    return NDArray(copy, ctx)


def from_numpy(ndarray: np.ndarray[Any, Any], zero_copy: bool = True) -> NDArray:
    """Convert to an NDArray of the same dtype; over the same memory where ``zero_copy``, which takes a contiguous
    array."""
    if not zero_copy:
        return NDArray(np.array(ndarray, dtype_of(ndarray.dtype), order="C"))
    if not ndarray.flags.c_contiguous:
        raise MXNetValueError("from_numpy(zero_copy=True) takes a contiguous array: numpy.ascontiguousarray().")
    dtype_of(ndarray.dtype)
    # As MXNet does. Writing to the array itself would bypass the counters.
    with contextlib.suppress(ValueError):  # an earlier call has locked it; memory that cannot be written stays locked
        ndarray.flags.writeable = True
    shared = ndarray.view()
    ndarray.flags.writeable = False
    return NDArray(shared)


def zeros(shape: Shape, ctx: Context | None = None, dtype: Any = None, **keywords: Any) -> NDArray:
    """Create an array of zeros. ``out``: an array that takes them. Raises MXNetError for keywords that MXNet lacks."""
    return _filled("zeros", shape, 0, ctx, dtype, **keywords)


def ones(shape: Shape, ctx: Context | None = None, dtype: Any = None, **keywords: Any) -> NDArray:
    """Create an array of ones. ``out``: an array that takes them. Raises MXNetError for keywords that MXNet lacks."""
    return _filled("ones", shape, 1, ctx, dtype, **keywords)


def full(
    shape: Shape, val: float, ctx: Context | None = None, dtype: Any = None, out: NDArray | None = None
) -> NDArray:
    """Create an array filled with ``val``, or fill ``out``."""
    return _filled("full", shape, val, ctx, dtype, out=out)


def _filled(
    function: str, shape: Shape, value: Any, ctx: Context | None, dtype: Any, *,
    out: NDArray | None = None, name: str | None = None, stype: str = "default", **unknown: Any,  # noqa: ARG001
) -> NDArray:  # fmt: skip
    """``name``, and what begins and ends with two underscores (``__layout__``): nothing here, as in MXNet."""
    unknown = {key: value for key, value in unknown.items() if not (key.startswith("__") and key.endswith("__"))}
    if unknown:
        raise MXNetError(f"mx.nd.{function}() has no parameter {', '.join(unknown)}. It has: shape, ctx, dtype, out.")
    if stype != "default":
        refuse_sparse(f"mx.nd.{function}(stype={stype!r})")
    if not is_np_shape() and not all(_shape(shape) or [0]):
        raise MXNetValueError(
            f"mx.nd.{function}() takes a shape that is known, got {shape}: () and sizes of 0 mean that only inside "
            "mx.np_shape()."
        )
    if out is None:
        return NDArray(np.full(_shape(shape), value, dtype_of(dtype)), ctx)
    if out.shape != _shape(shape):
        raise MXNetValueError(f"mx.nd.{function}() takes an out of shape {_shape(shape)}, got {out.shape}.")
    out[:] = value
    return out


def empty(shape: Shape, ctx: Context | None = None, dtype: Any = None, stype: str | None = None) -> NDArray:
    """Create an array without initializing it. Raises MXNetValueError for a sparse ``stype``."""
    if stype not in (None, "default"):
        refuse_sparse(f"mx.nd.empty(stype={stype!r})")
    return NDArray(np.empty(_shape(shape), dtype_of(dtype)), ctx)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: Context | None = None,
    dtype: Any = "float32",
) -> NDArray:
    """Create a range from ``start``, or from 0 to ``start`` where ``stop`` is not given; each number ``repeat``
    times. ``start`` and ``step`` become ``dtype`` first. ``infer_range`` is refused: only graphs can infer it."""
    if infer_range:
        raise MXNetError("mx.nd.arange(infer_range=True): only graphs infer the length of a range.")
    attrs = {"start": start, "stop": stop, "step": step, "repeat": repeat, "dtype": dtype_of(dtype).name}
    return _created("_arange", attrs, ctx)


def linspace(
    start: float, stop: float, num: int, endpoint: bool = True, ctx: Context | None = None, dtype: Any = "float32"
) -> NDArray:
    """Create ``num`` evenly spaced numbers."""
    if num == 0:
        return NDArray(np.empty(0, dtype_of(dtype)), ctx)
    attrs = {"start": start, "stop": stop, "num": num, "endpoint": endpoint, "dtype": dtype_of(dtype).name}
    return _created("_linspace", attrs, ctx)


def _created(operator_name: str, attrs: dict[str, Any], ctx: Context | None) -> NDArray:
    from neuron_adapters.mxnet.ndarray._invoke import invoke

    array: NDArray = invoke(operator_name, [], {}, attrs, ctx=ctx)
    return array


def eye(N: int, M: int = 0, k: int = 0, ctx: Context | None = None, dtype: Any = None) -> NDArray:  # noqa: N803
    """Create a matrix with ones on a diagonal."""
    return NDArray(np.eye(N, M or N, k, dtype_of(dtype)), ctx)


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Join along ``axis``. A single array is returned itself where ``always_copy`` is False."""
    if len(arrays) == 1 and not always_copy:
        return arrays[0]
    return NDArray(np.concatenate([array._array for array in arrays], axis=axis), arrays[0].context)


def waitall() -> None:
    """Return at once: nothing is computed in the background."""


def _shape(shape: Shape) -> tuple[int, ...]:
    sizes = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(size) for size in shape)
    size = 1
    for length in sizes:
        size *= length
    if min(sizes, default=0) < 0 or size > _MOST:
        raise MXNetValueError(f"an array cannot have the shape {sizes}.")
    return sizes
