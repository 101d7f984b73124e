"""``mx.symbol.symbol``, where scripts of MXNet find the class."""

from __future__ import annotations

from neuron_adapters.mxnet._training import Elsewhere, names_of
from neuron_adapters.mxnet.symbol import Group, Symbol, Variable, arange, full, load, load_json, ones, var, zeros

__all__ = ["Group", "Symbol", "Variable", "arange", "full", "load", "load_json", "ones", "var", "zeros"]

__getattr__: Elsewhere = names_of("neuron_adapters.mxnet.symbol", "mx.sym.symbol")
