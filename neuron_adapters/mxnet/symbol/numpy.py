"""``mx.sym.np``: NumPy's functions on symbols, for blocks of deep NumPy: ``F.np.sum(x, axis=1)`` in ``hybrid_forward``.

A function is a node of MXNet's operator for it, with MXNet's name; parameters are in NumPy's order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _numpy_forms  # noqa: F401 - it registers functions
from neuron_adapters.mxnet._numpy_calls import NumpyCalls
from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.base import MXNetIndexError
from neuron_adapters.mxnet.symbol._compose import create
from neuron_adapters.mxnet.symbol._symbol import Symbol

__all__: list[str] = []

_METHODS = {
    "all", "any", "argmax", "argmin", "argsort", "clip", "copy", "cumsum", "dot", "max", "mean", "min", "prod",
    "repeat", "round", "sort", "split", "squeeze", "std", "sum", "swapaxes", "take", "tile", "var",
}  # fmt: skip

pi: float = np.pi
e: float = np.e
inf: float = np.inf
nan: float = np.nan
newaxis: None = None


class _Symbol(Symbol):
    """A symbol that computes by NumPy's rules: ``x + y`` broadcasts, ``x > y`` is boolean, ``x[1, :2]`` is a part."""

    __slots__ = ()

    def as_np_ndarray(self) -> _Symbol:
        """Return the symbol itself."""
        return self

    def as_nd_ndarray(self) -> Symbol:
        """Return the same graph as a classic symbol."""
        return Symbol(self._entries)

    def reshape(self, *shape: Any, order: str = "C") -> Symbol:
        """Return it in another shape; -1 is computed."""
        wanted = shape[0] if len(shape) == 1 else shape
        return _node("_np_reshape", [self], newshape=wanted, order=order)

    def transpose(self, *axes: Any) -> Symbol:
        """Return it with its axes in another order: reversed, where none is given."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _node("_np_transpose", [self], axes=order or None)

    def flatten(self, order: str = "C") -> Symbol:
        """Return it with one axis."""
        return _node("_np_reshape", [self], newshape=(-1,), order=order)

    @property
    def T(self) -> Symbol:  # noqa: N802 - NumPy's name
        """Transposed."""
        return self.transpose()

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Symbol:
        result: Symbol = _calls.combine(kind, self, other, swapped=swapped)
        return result

    def __radd__(self, other: Any) -> _Symbol:
        total: _Symbol = self._combined("add", other)  # type: ignore[assignment] # of one of these
        return total

    def __getitem__(self, key: Any) -> Symbol:
        if len(self._entries) > 1 or isinstance(key, str):
            return super().__getitem__(key)
        keys = key if isinstance(key, tuple) else (key,)
        if not keys:
            return _node("_np_copy", [self])
        if not all(isinstance(each, (int, np.integer, slice)) for each in keys):
            raise MXNetIndexError(f"a part of a Symbol is chosen by whole numbers and slices, got {key!r}.")
        places = [each if isinstance(each, slice) else _only(int(each)) for each in keys]
        part = _node(
            "slice", [self], begin=[each.start for each in places], end=[each.stop for each in places],
            step=[each.step for each in places],
        )  # fmt: skip
        if isinstance(key, slice):
            return part
        kept = tuple(-2 if isinstance(each, slice) else -3 for each in keys)  # the -4: all further axes
        return _node("_npx_reshape", [part], newshape=(*kept, -4))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _METHODS:
            return functools.partial(_function(name), self)
        return super().__getattr__(name)


def _only(place: int) -> slice:
    return slice(place, place + 1 or None, 1)


def _node(operator: str, inputs: Sequence[Symbol], name: str | None = None, **attrs: Any) -> _Symbol:
    """Return a node of the operator; attributes that are None are left out."""
    said = {key: value for key, value in attrs.items() if value is not None}
    hint = operator.removeprefix("_npi_").removeprefix("_npx_").removeprefix("_np_").lower()
    hint = "swapaxes" if operator == "SwapAxis" else hint
    return _Symbol(create(operator, inputs, {}, said, name, None, hint))


_calls = NumpyCalls("mx.sym.np", Symbol, _node, symbolic=True)


def _function(name: str) -> Callable[..., Any]:
    return _calls.of(name) or refuse_missing(f"mx.sym.np.{name}")


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "linalg":
        return import_module("neuron_adapters.mxnet.numpy.linalg")
    if name == "random":
        return import_module("neuron_adapters.mxnet.symbol.numpy_random")
    return _function(name)


def __dir__() -> list[str]:
    return sorted({*_calls.names(), "linalg", "random"})
