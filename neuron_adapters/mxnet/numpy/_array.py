"""``mx.np.ndarray``: an NDArray that computes by NumPy's rules: comparisons are booleans, arrays may have no axes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _numpy_forms  # noqa: F401 - it registers functions
from neuron_adapters.mxnet._numpy_calls import ALIASES, NumpyCalls
from neuron_adapters.mxnet._training import refuse_missing, refuse_name
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._invoke import invoke

__all__ = ["by_operator", "ndarray", "places", "take", "wrapped"]


def _as_numpy(name: str) -> Any:
    """Make a method that a classic array has, and NumPy defines otherwise, NumPy's."""

    def method(self: NDArray, *args: Any, **keywords: Any) -> Any:
        return wrapped(functools.partial(getattr(np.ndarray, name), self._array), self._context)(*args, **keywords)

    method.__name__, method.__doc__ = name, getattr(np.ndarray, name).__doc__
    return method


def _by_operator(name: str) -> Any:
    """Make a method that a classic array has, and NumPy defines otherwise, one of MXNet's operator."""

    def method(self: NDArray, *args: Any, **keywords: Any) -> Any:
        return by_operator(name)(self, *args, **keywords)

    method.__name__, method.__doc__ = name, getattr(np.ndarray, name).__doc__
    return method


class ndarray(NDArray):  # noqa: N801 - MXNet's name
    """An array of ``mx.np``. Made by ``mx.np.array``, ``zeros`` and so on."""

    __slots__ = ()

    def __array_ufunc__(  # type: ignore[override] # a classic array has none
        self, ufunc: Any, method: str, *inputs: Any, **keywords: Any
    ) -> Any:
        from neuron_adapters.mxnet.numpy import _dispatch

        return _dispatch.ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, _types: Any, args: Any, keywords: Any) -> Any:
        from neuron_adapters.mxnet.numpy import _dispatch

        return _dispatch.function(function, args, keywords)

    def as_np_ndarray(self) -> ndarray:
        """Return the array itself."""
        return self

    def as_nd_ndarray(self) -> NDArray:
        """Return a classic array over the same memory."""
        return NDArray(self._array, self._context, self._memory)

    def item(self, *place: int) -> Any:
        """Return one number as Python's; the only one where no place is given."""
        return self._array.item(*place)

    def tolist(self) -> Any:
        """Return nested lists."""
        return self._array.tolist()

    def astype(self, dtype: Any, copy: bool = True, **_more: Any) -> ndarray:
        """Cast to another dtype. Returns the array itself where the dtype is the same and ``copy`` is False."""
        cast = super().astype(dtype, copy)
        return cast if isinstance(cast, ndarray) else _own(cast)

    @property
    def dtype(self) -> Any:
        """NumPy's dtype."""
        return self._array.dtype

    def __format__(self, spec: str) -> str:
        return format(self._array.item() if not self.ndim else self._array, spec)

    def copy(self, order: str = "C") -> ndarray:
        """Copy, always with the last axis innermost. Raises NotImplementedError for another order, as MXNet does."""
        if order != "C":
            raise NotImplementedError(f"ndarray.copy() has the order C only, got {order!r}")
        return ndarray(self._array.copy(), self._context)

    def copyto(self, other: Any) -> Any:
        """Copy into ``other``, an array of the same shape, or to a new array in that context."""
        return ndarray(self._array.copy(), other) if isinstance(other, Context) else super().copyto(other)

    def reshape(self, *shape: Any, **_order: Any) -> ndarray:
        """Return a view in another shape; -1 is computed."""
        asked = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        try:
            return self._view(self._array.reshape(asked))
        except ValueError as error:
            raise MXNetValueError(f"reshape: {error}") from error

    @property
    def T(self) -> ndarray:  # noqa: N802 - NumPy's name
        """Transposed; a copy."""
        return ndarray(np.ascontiguousarray(self._array.T), self._context)

    all: Callable[..., Any] = _by_operator("all")
    any: Callable[..., Any] = _by_operator("any")
    flatten: Callable[..., Any] = _as_numpy("flatten")
    squeeze: Callable[..., Any] = _as_numpy("squeeze")

    def _view(self, array: Any) -> ndarray:
        return ndarray(array, self._context, self._memory)

    def __getitem__(self, key: Any) -> ndarray:
        part = np.asarray(self._array[_raw_key(key)])
        if np.may_share_memory(part, self._array) and part.flags.c_contiguous:
            return self._view(part)
        return ndarray(np.array(part, order="C"), self._context)

    def __setitem__(self, key: Any, value: Any) -> None:
        with np.errstate(all="ignore"):
            self._array[_raw_key(key)] = _raw(value)
        self._written()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("attach_grad", "backward"):
            refuse_name(f"ndarray.{name}()")
        if name.startswith("_"):
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")
        if not callable(getattr(np.ndarray, name, None)):
            refuse_missing(f"mx.np.ndarray.{name}")
        if name in _BY_OPERATOR:
            return functools.partial(by_operator(name), self)
        return wrapped(functools.partial(getattr(np.ndarray, name), self._array), self._context)

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Any:
        return calls.combine(kind, self, other, swapped=swapped)

    def __abs__(self) -> ndarray:
        result: ndarray = by_operator("absolute")(self)
        return result

    def broadcast_to(self, shape: Sequence[int]) -> ndarray:
        """Broadcast to ``shape``; a copy."""
        result: ndarray = by_operator("broadcast_to")(self, shape)
        return result

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> ndarray:
        """Take elements, or what is at places of ``axis``; places may be floats."""
        result: ndarray = wrapped(take)(self, indices, axis, mode=mode)
        return result

    def __matmul__(self, other: Any) -> Any:
        return _own(invoke("_npi_matmul", [self, other], {}, {}))

    def __float__(self) -> float:
        return float(self._array.item())

    def __int__(self) -> int:
        return int(self._array.item())

    def __index__(self) -> int:
        return self._array.__index__()

    def __bool__(self) -> bool:
        return bool(self._array)

    def __repr__(self) -> str:
        text, dtype = repr(self._array), self._array.dtype
        if dtype in (np.int64, np.float64) and "dtype=" not in text:  # NumPy's own are not MXNet's
            return f"{text[:-1]}, dtype={dtype})"
        return text.replace(", dtype=float32", "")

    def __str__(self) -> str:
        return str(self._array)

    __hash__ = NDArray.__hash__


#: Methods whose numbers or dtypes are MXNet's own; the others are NumPy's.
_BY_OPERATOR = {
    "argmax", "argmin", "clip", "cumsum", "max", "mean", "min", "prod", "round", "std", "sum", "var",
}  # fmt: skip


def _raw(value: Any) -> Any:
    return value._array if isinstance(value, NDArray) else value


def places(value: Any) -> Any:
    """Return what stands for places in an array, which lose their fractions, as in MXNet: arrays are floats unless told
    otherwise."""
    value = _raw(value)
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    with np.errstate(invalid="ignore"):  # NaN is a place far away
        return value.astype(np.int64) if floats else value


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """NumPy's ``take`` at such places."""
    return np.take(a, places(np.asarray(indices)), axis, mode=mode)  # type: ignore[call-overload]


def _raw_key(key: Any) -> Any:
    return tuple(map(places, key)) if isinstance(key, tuple) else places(key)


def _own(result: Any) -> Any:
    """Return the same memory as an array of ``mx.np``, or a list of such."""
    if isinstance(result, (list, tuple)):
        return [_own(each) for each in result]
    return ndarray(result._array, result._context, result._memory) if isinstance(result, NDArray) else result


def wrapped(
    compute: Callable[..., Any], context: Context | None = None, *, default: Any = None, numpys: bool = False
) -> Callable[..., Any]:
    """Make a function of NumPy's arrays one of these arrays. ``default``: the dtype of what is made of no array.
    ``numpys``: dtypes, and numbers that are no arrays, are NumPy's."""

    @functools.wraps(compute, updated=())
    def call(*args: Any, ctx: Any = None, device: Any = None, out: Any = None, **keywords: Any) -> Any:
        raw_args = [_deep(value) for value in args]
        raw_keywords = {key: _deep(value) for key, value in keywords.items()}
        try:
            with np.errstate(all="ignore"):
                result = compute(*raw_args, **raw_keywords)
        except ValueError as error:
            raise MXNetValueError(f"{_name_of(compute)}: {error}") from error
        if numpys and isinstance(result, np.generic):
            return result
        asked = keywords.get("dtype") is not None or any(map(_is_dtype, args))
        taken = (*getattr(compute, "args", ()), *raw_args, *raw_keywords.values())  # args: the array of a method
        narrow = not asked and not numpys and not any(map(_is_wide, taken))
        array = _shown(_narrowed(result) if narrow else result, ctx or device or context, None if asked else default)
        return _written_to(out, array)

    return call


def _is_dtype(value: Any) -> bool:
    """Whether it names a dtype, among arguments by position."""
    return isinstance(value, np.dtype) or (
        isinstance(value, type) and issubclass(value, (np.generic, bool, int, float))
    )


def _is_wide(value: Any) -> bool:
    """Whether it is, or has, an array of float64."""
    if isinstance(value, (list, tuple)):
        return any(map(_is_wide, value))
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype == np.float64


def _narrowed(result: Any) -> Any:
    """Make float64 float32, which is what MXNet computes whole numbers in."""
    if isinstance(result, (list, tuple)):
        return tuple(map(_narrowed, result)) if isinstance(result, tuple) else [*map(_narrowed, result)]
    return np.float32(result) if _is_wide(result) else result


def _node(operator: str, inputs: Sequence[NDArray], name: str | None = None, **attributes: Any) -> Any:  # noqa: ARG001
    """Compute an operator; attributes that are None are left out."""
    return _own(invoke(operator, inputs, {}, {key: value for key, value in attributes.items() if value is not None}))


calls = NumpyCalls("mx.np", NDArray, _node, symbolic=False)


@functools.cache
def by_operator(name: str) -> Callable[..., Any]:
    """Return NumPy's function as a call of MXNet's operator, where it has an array among its arguments."""
    function, plain = calls.of(name), wrapped(getattr(np, ALIASES.get(name, name)))
    assert function is not None, name

    @functools.wraps(plain)
    def call(*args: Any, out: Any = None, ctx: Any = None, device: Any = None, **keywords: Any) -> Any:  # noqa: ARG001
        if not any(map(_has_array, (*args, *keywords.values()))):
            return plain(*args, out=out, **keywords)
        return _written_to(out, function(*args, **keywords))

    return call


def _written_to(out: Any, result: Any) -> Any:
    """Return ``result``, in ``out`` where there is one."""
    if out is None:
        return result
    out[...] = result
    return out


def _has_array(value: Any) -> bool:
    return isinstance(value, NDArray) or (isinstance(value, (list, tuple)) and any(map(_has_array, value)))


def _name_of(compute: Callable[..., Any]) -> str:
    """Return the name of one of NumPy's functions, or of a method of an array."""
    return str(getattr(getattr(compute, "func", compute), "__name__", compute))


def _deep(value: Any) -> Any:
    return type(value)(map(_deep, value)) if type(value) in (list, tuple) else _raw(value)


def _shown(result: Any, context: Any, default: Any) -> Any:
    if isinstance(result, (list, tuple)):
        shown = [_shown(each, context, default) for each in result]
        return tuple(shown) if isinstance(result, tuple) else shown
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    array = np.array(result, order="C")
    if default is not None and array.dtype.kind in "fiu":
        array = array.astype(default)
    return ndarray(array, context)
