"""Compiled graphs for the real mxnet, which does not know their operator: its Symbol holds the original graph, and
ours, beside it, what was compiled (SPEC K6)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import mxnet as mx
import numpy as np

from neuron_adapters.adapter.compile import configuration
from neuron_adapters.files.mxnet import literal
from neuron_adapters.mxnet._analysis import Graph
from neuron_adapters.mxnet._subgraphs import OP
from neuron_adapters.mxnet._symbol_json import dumps, loads
from neuron_adapters.mxnet.ndarray import array
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["CompiledSymbol", "graph_of", "of_own", "own_of", "verify", "wrap_load", "wrap_load_json"]


def _of_own(name: str) -> Callable[..., Any]:
    """Return the method ``name`` of this package's Symbol, called on what was compiled."""
    method = getattr(Symbol, name)

    @functools.wraps(method)
    def call(self: CompiledSymbol, *args: Any, **kwargs: Any) -> Any:
        return method(self._own, *args, **kwargs)

    return call


class CompiledSymbol(mx.symbol.Symbol):  # type: ignore[misc] # mxnet has no types
    """A Symbol with compiled nodes. It names, lists and saves what was compiled; mxnet computes the original."""

    __slots__ = ("_own",)

    def __init__(self, own: Symbol) -> None:
        super().__init__(_handle(dumps(own._analysis().original)))
        self._own = own

    def inlined(self) -> Any:
        """Return the original graph as mxnet's own Symbol."""
        return mx.symbol.Symbol.__deepcopy__(self, None)

    def binaries(self) -> dict[str, tuple[int, ...]]:
        """Return the variables that only compiled nodes have, with the shapes that the file gives them."""
        taken = set(super().list_inputs())
        return {
            node.name: _shape(node.attrs.get("__shape__", "()"))
            for node in self._own._analysis().nodes
            if node.op == "null" and node.name not in taken
        }

    @property
    def name(self) -> str | None:
        """The name of its node; None for a group."""
        return self._own.name

    list_arguments, list_auxiliary_states = _of_own("list_arguments"), _of_own("list_auxiliary_states")
    list_inputs, list_outputs = _of_own("list_inputs"), _of_own("list_outputs")
    list_attr, attr, attr_dict = _of_own("list_attr"), _of_own("attr"), _of_own("attr_dict")
    tojson, debug_str = _of_own("tojson"), _of_own("debug_str")

    def save(self, fname: str, remove_amp_cast: bool = True) -> None:
        """Write a symbol file."""
        if not isinstance(fname, str):
            raise TypeError("fname need to be string")
        self._own.save(fname, remove_amp_cast)

    def get_internals(self) -> Any:
        """Return all outputs of all nodes."""
        return of_own(self._own.get_internals())

    def get_children(self) -> Any:
        """Return the inputs of its nodes; None for a variable."""
        children = self._own.get_children()
        return None if children is None else of_own(children)

    def __getitem__(self, index: Any) -> Any:
        return of_own(self._own[index])

    def _compose(self, *args: Any, **kwargs: Any) -> None:
        """Replace variables by symbols, in place."""
        name = kwargs.pop("name", None)
        replacements = {key: own_of(symbol) for key, symbol in kwargs.items()}
        composed = CompiledSymbol(self._own(*map(own_of, args), name=name, **replacements))
        self._own = composed._own
        self.handle, composed.handle = composed.handle, self.handle  # type: ignore[misc,has-type]

    def _infer_shape_impl(self, partial: bool, *args: Any, **kwargs: Any) -> Any:
        return self._infer(super()._infer_shape_impl, partial, args, kwargs, self.binaries())

    def _infer_type_impl(self, partial: bool, *args: Any, **kwargs: Any) -> Any:
        return self._infer(super()._infer_type_impl, partial, args, kwargs, dict.fromkeys(self.binaries(), np.uint8))

    def _infer(
        self,
        infer: Callable[..., Any],
        partial: bool,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        binaries: dict[str, Any],
    ) -> Any:
        """Infer the original graph by mxnet; return the results in the order of the compiled graph."""
        if args and kwargs:
            raise ValueError("Can only specify known arguments either by positional or kwargs way.")
        hints = {**dict(zip(self.list_arguments(), args)), **kwargs}
        known = {name: hints.get(name) or shape for name, shape in binaries.items()}
        rest = {name: hint for name, hint in hints.items() if name not in binaries and hint is not None}
        arguments, outputs, states = infer(partial, **rest)
        if arguments is None:
            return None, None, None
        known.update(zip(super().list_arguments(), arguments))
        known.update(zip(super().list_auxiliary_states(), states))
        return (
            [known[name] for name in self.list_arguments()],
            outputs,
            [known[name] for name in self.list_auxiliary_states()],
        )

    def __copy__(self) -> CompiledSymbol:
        return self.__deepcopy__(None)

    def __deepcopy__(self, _memo: Any) -> CompiledSymbol:
        return CompiledSymbol(self._own.__copy__())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (self.tojson(),))


def _restored(text: str) -> Any:
    """Restore a pickled CompiledSymbol, in a process with or without the hooks."""
    return CompiledSymbol(Symbol(loads(text)))


def _handle(text: str) -> Any:
    plain = _unhooked_load(text)
    handle, plain.handle = plain.handle, mx.base.SymbolHandle()
    return handle


def _unhooked_load(text: str) -> Any:
    return getattr(mx.symbol.symbol.load_json, "__wrapped__", mx.symbol.symbol.load_json)(text)


def of_own(own: Symbol) -> Any:
    """Convert a graph of this package to mxnet's: to a CompiledSymbol where it has compiled nodes."""
    return CompiledSymbol(own) if own._analysis().compiled else _unhooked_load(own.tojson())


def own_of(symbol: Any) -> Symbol:
    """Convert a graph of mxnet's to this package's."""
    return symbol._own if isinstance(symbol, CompiledSymbol) else Symbol(loads(symbol.tojson()))


def verify(symbol: Any, arrays: Mapping[str, Any]) -> None:
    """Raise ArtifactError where NEURON_RT_VALIDATE_HASH asks, and a part is not what was compiled (SPEC K4)."""
    if isinstance(symbol, CompiledSymbol) and configuration().validate_hash:
        from neuron_adapters.mx._artifact import verify as verify_parts

        heads = symbol._own._entries
        verify_parts(heads, {name: array(value.asnumpy(), dtype=value.dtype) for name, value in arrays.items()})


def graph_of(symbol: Any) -> Graph:
    """Return the analysis of a graph."""
    return own_of(symbol)._analysis()


def wrap_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``mx.sym.load``, so that compiled graphs load too."""

    def read(fname: str) -> Any:
        with open(fname, "rb") as file:
            return of_own(Symbol(loads(file.read()), fname))

    return _else(load, read)


def wrap_load_json(load_json: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``mx.sym.load_json``, so that compiled graphs load too."""
    return _else(load_json, lambda json_str: of_own(Symbol(loads(json_str))))


def _else(load: Callable[..., Any], load_compiled: Callable[..., Any]) -> Callable[..., Any]:
    """Call ``load``, and ``load_compiled`` where mxnet does not know the operator of compiled nodes."""

    @functools.wraps(load)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        try:
            return load(*args, **kwargs)
        except mx.base.MXNetError as error:
            if OP not in str(error):
                raise
        return load_compiled(*args, **kwargs)

    return hooked


def _shape(text: str) -> tuple[int, ...]:
    try:
        read = literal(text)
        return tuple(map(int, read)) if isinstance(read, Iterable) else (int(read),)
    except (ValueError, TypeError):
        return ()
