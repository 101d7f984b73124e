"""NumPy's functions that are more than one operator and its attributes. Each gets ``NumpyCalls`` first."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from neuron_adapters.mxnet._calls import split_attributes
from neuron_adapters.mxnet._numpy_calls import NumpyCalls, form
from neuron_adapters.mxnet.base import MXNetValueError


def _dtype(dtype: Any, default: str | None = None) -> str | None:
    return default if dtype is None else np.dtype(dtype).name


@form
def where(calls: NumpyCalls, condition: Any, x: Any, y: Any) -> Any:
    """Choose from ``x`` where ``condition`` holds, else from ``y``; either may be a number."""
    if calls.is_array(x) and calls.is_array(y):
        return calls.node("_npi_where", [condition, x, y])
    if calls.is_array(x):
        return calls.node("_npi_where_rscalar", [condition, x], scalar=float(y))
    if calls.is_array(y):
        return calls.node("_npi_where_lscalar", [condition, y], scalar=float(x))
    return calls.node("_npi_where_scalar2", [condition], x=float(x), y=float(y))


@form
def split(calls: NumpyCalls, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split into equal parts, or at indices; a list."""
    return _parts(calls, "_split_v2", ary, indices_or_sections, axis)


@form
def array_split(calls: NumpyCalls, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split into parts, of which the first ones may be larger, or at indices; a list."""
    return _parts(calls, "_split_v2", ary, indices_or_sections, axis)


@form
def empty_like(
    calls: NumpyCalls, prototype: Any, dtype: Any = None, order: str = "C", ctx: Any = None, out: None = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create an array in the shape of ``prototype``: of zeros."""
    return zeros_like(calls, prototype, dtype)


@form
def vsplit(calls: NumpyCalls, ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the first axis."""
    return _parts(calls, "_split_v2", ary, indices_or_sections, 0)


def _parts(calls: NumpyCalls, operator: str, ary: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    places = indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections)
    return calls.outputs(calls.node(operator, [ary], **split_attributes(places, axis, squeeze_axis=False)))


@form
def hsplit(calls: NumpyCalls, ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the second axis, or the only one."""
    return _parts(calls, "_npi_hsplit", ary, indices_or_sections, 1)


@form
def dsplit(calls: NumpyCalls, ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the third axis."""
    return _parts(calls, "_npi_dsplit", ary, indices_or_sections, 2)


def _at_least(rank: int) -> None:
    def call(calls: NumpyCalls, *arys: Any) -> Any:
        outputs = calls.outputs(calls.node(f"_np_atleast_{rank}d", list(arys)))
        return outputs[0] if len(arys) == 1 else outputs

    call.__name__ = f"atleast_{rank}d"
    call.__doc__ = f"Return each with at least {rank} axes."
    form(call)


for _rank in (1, 2, 3):
    _at_least(_rank)


@form
def insert(calls: NumpyCalls, arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Put ``values`` in front of a place, or of those of a slice."""
    if isinstance(obj, slice):
        operator, where = "_npi_insert_slice", {"start": obj.start, "stop": obj.stop, "step": obj.step}
    elif isinstance(obj, (int, np.integer)):
        operator, where = "_npi_insert_scalar", {"int_ind": int(obj)}
    else:
        raise MXNetValueError(f"{calls.shown}.insert(): places in a graph are a whole number or a slice, got {obj!r}.")
    if calls.is_array(values):
        return calls.node(operator, [arr, values], axis=axis, **where)
    return calls.node(operator, [arr], val=float(values), axis=axis, **where)


@form
def delete(calls: NumpyCalls, arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Leave out a place, or those of a slice."""
    if isinstance(obj, slice):
        return calls.node("_npi_delete", [arr], start=obj.start, stop=obj.stop, step=obj.step, axis=axis)
    if isinstance(obj, (int, np.integer)):
        return calls.node("_npi_delete", [arr], int_ind=int(obj), axis=axis)
    raise MXNetValueError(f"{calls.shown}.delete(): places in a graph are a whole number or a slice, got {obj!r}.")


@form
def append(calls: NumpyCalls, arr: Any, values: Any, axis: int | None = None) -> Any:
    """Join two arrays; flat ones without an axis."""
    return concatenate(calls, [arr, values], axis)


@form
def concatenate(calls: NumpyCalls, seq: Sequence[Any], axis: int | None = 0, out: None = None) -> Any:
    """Join arrays; flat ones where the axis is None."""
    if out is not None:
        raise MXNetValueError(f"{calls.shown}.concatenate(out=...): a graph's nodes do not write into others.")
    arrays = list(seq)
    if not all(map(calls.is_array, arrays)):
        raise TypeError(f"{calls.shown}.concatenate() takes {calls.kind.__name__.lower()}s as seq, got {arrays!r}")
    return calls.node("_npi_concatenate", arrays, axis="None" if axis is None else axis)


@form
def take(
    calls: NumpyCalls, a: Any, indices: Any, axis: int | None = None, mode: str = "raise", out: None = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """Take elements, or what is at places of ``axis``."""
    data = ravel(calls, a) if axis is None else a
    return calls.node("take", [data, indices], axis=axis or 0, mode=mode)


@form
def clip(
    calls: NumpyCalls, a: Any, a_min: Any = None, a_max: Any = None, out: None = None,  # noqa: ARG001
    *, min: Any = None, max: Any = None,  # noqa: A002 - as the method calls them
) -> Any:  # fmt: skip
    """Limit the numbers to a range, which is open where a limit is None."""
    a_min, a_max = min if a_min is None else a_min, max if a_max is None else a_max
    low, high = -inf if a_min is None else float(a_min), inf if a_max is None else float(a_max)
    return calls.node("clip", [a], a_min=low, a_max=high)


@form
def ravel(calls: NumpyCalls, a: Any, order: str = "C") -> Any:
    """Return it with one axis."""
    return calls.node("_np_reshape", [a], newshape=(-1,), order=order)


@form
def einsum(calls: NumpyCalls, subscripts: str, *operands: Any, optimize: Any = False, out: None = None) -> Any:  # noqa: ARG001
    """Sum products as ``subscripts`` says."""
    return calls.node("_npi_einsum", operands, subscripts=subscripts, optimize=int(bool(optimize)))


@form
def tensordot(calls: NumpyCalls, a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum products over ``axes``: how many of the last and the first, or which of each."""
    if isinstance(axes, (int, np.integer)):
        return calls.node("_npi_tensordot_int_axes", [a, b], axes=int(axes))
    of_a, of_b = (tuple(each) if isinstance(each, (list, tuple)) else (each,) for each in axes)
    return calls.node("_npi_tensordot", [a, b], a_axes_summed=of_a, b_axes_summed=of_b)


@form
def inner(calls: NumpyCalls, a: Any, b: Any) -> Any:
    """Sum products over the last axes."""
    return tensordot(calls, a, b, [[-1], [-1]])


@form
def outer(calls: NumpyCalls, a: Any, b: Any) -> Any:
    """Multiply each number of ``a`` with each of ``b``."""
    return tensordot(calls, ravel(calls, a), ravel(calls, b), 0)


@form
def vdot(calls: NumpyCalls, a: Any, b: Any) -> Any:
    """Sum the products of all numbers."""
    return tensordot(calls, ravel(calls, a), ravel(calls, b), 1)


@form
def flip(calls: NumpyCalls, m: Any, axis: Any = None, out: None = None) -> Any:  # noqa: ARG001
    """Reverse axes, all of them without ``axis``."""
    return calls.node("_npi_flip", [m], axis="None" if axis is None else axis)


@form
def fliplr(calls: NumpyCalls, m: Any) -> Any:
    """Reverse the second axis."""
    return flip(calls, m, 1)


@form
def flipud(calls: NumpyCalls, m: Any) -> Any:
    """Reverse the first axis."""
    return flip(calls, m, 0)


@form
def zeros_like(
    calls: NumpyCalls, a: Any, dtype: Any = None, order: str = "C", ctx: Any = None, out: None = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create zeros in the shape of ``a``."""
    return calls.node("_npi_full_like", [a], fill_value=0, dtype=_dtype(dtype))


@form
def ones_like(
    calls: NumpyCalls, a: Any, dtype: Any = None, order: str = "C", ctx: Any = None, out: None = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create ones in the shape of ``a``."""
    return calls.node("_npi_full_like", [a], fill_value=1, dtype=_dtype(dtype))


@form
def arange(
    calls: NumpyCalls, start: float, stop: float | None = None, step: float = 1, dtype: Any = None, ctx: Any = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create a range from ``start``, or from 0 to ``start``."""
    first, last = (0, start) if stop is None else (start, stop)
    return calls.node("_npi_arange", [], start=first, stop=last, step=step, dtype=_dtype(dtype, "float32"))


@form
def linspace(
    calls: NumpyCalls, start: float, stop: float, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, ctx: Any = None,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create ``num`` numbers at equal distances; ``retstep``: with that distance."""
    numbers = calls.node(
        "_npi_linspace", [], start=start, stop=stop, num=num, endpoint=endpoint, dtype=_dtype(dtype, "float32")
    )
    return (numbers, (stop - start) / ((num - 1) if endpoint else num)) if retstep else numbers


@form
def logspace(
    calls: NumpyCalls, start: float, stop: float, num: int = 50, endpoint: bool = True, base: float = 10.0,
    dtype: Any = None, axis: int = 0, ctx: Any = None,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create powers of ``base`` with exponents at equal distances."""
    return calls.node(
        "_npi_logspace", [], start=start, stop=stop, num=num, endpoint=endpoint, base=base,
        dtype=_dtype(dtype, "float32"),
    )  # fmt: skip


@form
def indices(calls: NumpyCalls, dimensions: Sequence[int], dtype: Any = None, ctx: Any = None) -> Any:  # noqa: ARG001
    """Create the places in a grid, along each axis."""
    return calls.node("_npi_indices", [], dimensions=tuple(dimensions), dtype=_dtype(dtype, "int32"))


@form
def identity(calls: NumpyCalls, n: int, dtype: Any = None, ctx: Any = None) -> Any:  # noqa: ARG001
    """Create a matrix with ones on its diagonal."""
    return calls.node("_npi_identity", [], shape=(n, n), dtype=_dtype(dtype, "float32"))


@form
def eye(
    calls: NumpyCalls, N: int, M: int | None = None, k: int = 0, dtype: Any = None,  # noqa: N803 - NumPy's
    order: str = "C", ctx: Any = None,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Create a matrix with ones on a diagonal."""
    return calls.node("_npi_eye", [], N=N, M=M, k=k, dtype=_dtype(dtype, "float32"))


@form
def average(calls: NumpyCalls, a: Any, axis: Any = None, weights: Any = None, returned: bool = False) -> Any:
    """Return the mean, of weighted numbers where there are weights; ``returned``: with the sum of the weights."""
    inputs = [a] if weights is None else [a, weights]
    result = calls.node("_npi_average", inputs, axis=axis, weighted=weights is not None, returned=returned)
    return tuple(calls.outputs(result)) if returned else result


@form
def ediff1d(calls: NumpyCalls, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of neighbours, with numbers in front and behind."""
    inputs: list[Any] = [ary]
    attributes: dict[str, Any] = {}
    for name, value in (("to_begin", to_begin), ("to_end", to_end)):
        if calls.is_array(value):
            inputs.append(value)
            attributes[f"{name}_arr_given"] = True
        elif value is not None:
            attributes[f"{name}_scalar"] = float(value)
    return calls.node("_npi_ediff1d", inputs, **attributes)


@form
def percentile(
    calls: NumpyCalls, a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: Any = None,  # noqa: ARG001
    interpolation: str = "linear", keepdims: bool = False,
) -> Any:  # fmt: skip
    """Return the numbers that ``q`` percent of all do not exceed."""
    if calls.is_array(q):
        return calls.node("_npi_percentile", [a, q], axis=axis, interpolation=interpolation, keepdims=keepdims)
    return calls.node("_npi_percentile", [a], axis=axis, interpolation=interpolation, keepdims=keepdims, q_scalar=q)


@form
def quantile(
    calls: NumpyCalls, a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: Any = None,
    interpolation: str = "linear", keepdims: bool = False,
) -> Any:  # fmt: skip
    """Return the numbers that a share ``q`` of all does not exceed."""
    return percentile(calls, a, q * 100, axis, out, overwrite_input, interpolation, keepdims)


@form
def pad(calls: NumpyCalls, x: Any, pad_width: Any, mode: str = "constant", **more: Any) -> Any:
    """Put numbers around ``x``. Raises MXNetValueError for what MXNet does not have."""
    allowed = {"constant": {"constant_values"}, "reflect": {"reflect_type"}, "symmetric": {"reflect_type"}}
    if unknown := set(more) - allowed.get(mode, set()):
        raise MXNetValueError(f"pad() in mode {mode!r} takes no {', '.join(sorted(unknown))}.")
    if more.get("reflect_type", "even") != "even":
        raise MXNetValueError("pad(reflect_type='odd') is not in MXNet.")
    constant = more.get("constant_values", 0)
    if np.ndim(constant):
        raise MXNetValueError(f"pad(constant_values=...) takes one number, got {constant!r}.")
    widths = np.asarray(pad_width, int)
    if widths.ndim < 2:  # for all axes
        widths = np.broadcast_to(widths, (1, 2))
    return calls.node("_npi_pad", [x], pad_width=_nested(widths), mode=mode, constant_value=float(constant))


def _nested(widths: Any) -> Any:
    return tuple(map(_nested, widths)) if getattr(widths, "ndim", 0) else int(widths)
