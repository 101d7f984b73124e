"""How a function of NumPy arrays becomes one of NDArrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from neuron_adapters.mxnet.ndarray._array import NDArray, functions

Array = np.ndarray[Any, Any]


def function(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function of NumPy arrays one of NDArrays, under ``names``.

    Results have memory of their own and at least one dimension; a list of them stays one. ``out=`` takes the result
    as well, ``name=`` is ignored. NumPy's arrays are refused, as MXNet does: which of the two something is matters.
    """

    def decorate(compute: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(compute)
        def call(*args: Any, out: Any = None, name: str | None = None, **keywords: Any) -> Any:  # noqa: ARG001
            taken = [value for value in (*args, *keywords.values()) if isinstance(value, NDArray)]
            strange = [type(value).__name__ for value in args if isinstance(value, np.ndarray)]
            if strange or not taken:
                raise TypeError(f"mx.nd.{names[0]}() takes NDArrays, got {', '.join(strange) or 'none'}: mx.nd.array()")
            with np.errstate(all="ignore"):
                result = compute(*map(_raw, args), **{key: _raw(value) for key, value in keywords.items()})
            if isinstance(result, list):
                return [type(taken[0])(_own(array), taken[0].context) for array in result]
            if out is None:
                return type(taken[0])(_own(result), taken[0].context)
            out[:] = NDArray(_own(result), taken[0].context)
            return out

        for name in names:
            functions[name] = call
        return call

    return decorate


def _raw(value: Any) -> Any:
    return value._array if isinstance(value, NDArray) else value


def _own(result: Any) -> Array:
    array = np.asarray(result)
    return np.array(array.reshape(1) if array.ndim == 0 else array, order="C")
