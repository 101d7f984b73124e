"""MXNet's operators as functions of symbols, with a type."""

from __future__ import annotations

from collections.abc import Callable

from neuron_adapters.mxnet import symbol
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["sym"]


class _Operators:
    """``sym.relu`` and ``sym("relu")`` are the same function."""

    def __call__(self, name: str) -> Callable[..., Symbol]:
        return self.__getattr__(name)

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        function: Callable[..., Symbol] = getattr(symbol, name)
        return function


sym = _Operators()
