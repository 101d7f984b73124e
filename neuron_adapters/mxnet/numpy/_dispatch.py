"""NumPy's own functions on arrays of ``mx.np``: ``numpy.mean(x)`` is ``mx.np.mean(x)``, as in MXNet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from neuron_adapters.mxnet.numpy._array import wrapped

#: What NumPy's universal functions are called here.
_UFUNCS = {"divide": "true_divide", "bitwise_invert": "invert", "remainder": "mod"}


def ufunc(function: Any, method: str, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Answer ``__array_ufunc__``."""
    if method != "__call__":
        return NotImplemented
    outs = keywords.get("out", ())
    more = {key: value for key, value in keywords.items() if key != "out"}
    if any(isinstance(value, np.ndarray) for value in (*inputs, *outs)) or len(outs) > 1:
        raise TypeError(f"numpy.{function.__name__}() takes arrays of mx.np alone, or NumPy's alone: convert one.")
    own = _function("", _UFUNCS.get(function.__name__, function.__name__))
    return (own or wrapped(function, numpys=True))(*inputs, **more, **({"out": outs[0]} if outs else {}))


def function(called: Callable[..., Any], args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Answer ``__array_function__``."""
    module = ".linalg" if called.__module__ == "numpy.linalg" else "" if called.__module__ == "numpy" else None
    own = None if module is None else _function(module, called.__name__)
    return (own or wrapped(called, numpys=True))(*args, **keywords)


def _function(module: str, name: str) -> Callable[..., Any] | None:
    """Return the function of ``mx.np`` of that name, None where there is none."""
    try:
        return getattr(import_module(f"neuron_adapters.mxnet.numpy{module}"), name)  # type: ignore[no-any-return]
    except AttributeError:
        return None
