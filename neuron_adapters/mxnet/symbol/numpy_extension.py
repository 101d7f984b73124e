"""``mx.sym.npx``: the operators of networks on symbols, for blocks of deep NumPy."""

from __future__ import annotations

from typing import Any

from neuron_adapters.mxnet._functions import Prefixed
from neuron_adapters.mxnet.symbol._symbol import Symbol, functions
from neuron_adapters.mxnet.symbol.numpy import _Symbol

__all__: list[str] = []


def _own(result: Symbol) -> Symbol:
    return _Symbol(result._entries)


_operators = Prefixed(functions, "_npx_", "mx.sym.npx", _own)
image = Prefixed(functions, "_npx__image_", "mx.sym.npx.image", _own)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_operators, name)
