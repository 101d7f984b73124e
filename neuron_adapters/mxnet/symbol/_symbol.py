"""Symbol: outputs of a graph, made by composing, saved as JSON."""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._analysis import Graph
from neuron_adapters.mxnet._functions import Functions
from neuron_adapters.mxnet._graph import HIDDEN, Entry, Node, hidden, input_names, output_names, walk
from neuron_adapters.mxnet._operators import Operators, elementwise_name, scalar_name
from neuron_adapters.mxnet._symbol_json import dumps, loads
from neuron_adapters.mxnet._training import refuse_missing, refuse_name
from neuron_adapters.mxnet.base import MXNetValueError, NotImplementedForSymbol
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.operators import find
from neuron_adapters.mxnet.symbol._compose import Outputs, create
from neuron_adapters.mxnet.util import is_np_shape

if TYPE_CHECKING:
    from neuron_adapters.mxnet._inference import Inferred
    from neuron_adapters.mxnet.executor import Executor
    from neuron_adapters.mxnet.ndarray import NDArray

Shapes = list[tuple[int, ...]]
Types = tuple[list[Any], list[Any], list[Any]]

#: Operators with a number whose nodes get the operator's name; the others' lack an underscore.
_PLAIN_HINTS = {
    "_rpower_scalar", "_equal_scalar", "_not_equal_scalar", "_greater_scalar", "_greater_equal_scalar",
    "_lesser_scalar", "_lesser_equal_scalar",
}  # fmt: skip


class Symbol(Operators, Outputs):
    """One or more outputs of a graph; ``_entries`` are which, ``_source`` is the file that it came from, if any."""

    __slots__ = ("__weakref__", "_graph", "_source")

    #: Leaves ``numpy_array + symbol`` to this class.
    __array_ufunc__ = None

    def __init__(self, heads: Sequence[Entry], source: str = "") -> None:
        super().__init__(heads)
        self._source = source
        self._graph: Graph | None = None

    @property
    def name(self) -> str | None:
        """The name of its node; None for a group."""
        node = self._node()
        return None if node is None else node.name

    def attr(self, key: str) -> str | None:
        """Return an attribute of the symbol's node, None where it is not set."""
        return self.list_attr().get(key)

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """Return all attributes of the symbol's node; those that MXNet hides, ``__lr_mult__``, also as ``lr_mult``."""
        if recursive:
            raise DeprecationWarning("list_attr(recursive=True) was removed: use attr_dict()")
        node = self._node()
        return {} if node is None else _shown(node.attrs)

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """Return the attributes of all nodes that have any, by name."""
        return {node.name: _shown(node.attrs) for node in self._analysis().nodes if node.attrs}

    def _gen_atomic_symbol(self) -> Symbol:
        """Create a node of the same operator and attributes, with inputs of its own."""
        node = self._node()
        if node is None or node.op == "null":
            raise MXNetValueError(f"{self!r} is not the output of one operator.")
        attrs = {key: value for key, value in node.attrs.items() if not key.startswith("__")}
        return Symbol(create(node.op, [], {}, attrs, node.name))

    def _set_attr(self, **attributes: str) -> None:
        node = self._node()
        for key, value in attributes.items():
            if not isinstance(value, str):
                raise MXNetValueError(f"an attribute is a string, got {key}={value!r}.")
            if node is not None:
                node.attrs[hidden(key)] = value

    def list_arguments(self) -> list[str]:
        """List the names of the variables without the auxiliary states, in the order in which they are needed."""
        return list(self._analysis().arguments)

    def list_auxiliary_states(self) -> list[str]:
        """List the names of the variables that training writes to: means and variances."""
        return list(self._analysis().auxiliary_states)

    def list_inputs(self) -> list[str]:
        """List the names of all variables."""
        return [name for name, _auxiliary in self._analysis().variables]

    def list_outputs(self) -> list[str]:
        """List the names of the outputs: each is the node's name and that of its output."""
        return [_output_name(entry) for entry in self._entries]

    def get_internals(self) -> Symbol:
        """Return all outputs of all nodes: ``symbol.get_internals()["fc_output"]``."""
        return Symbol([Entry(node, index) for node in walk(self._entries) for index in range(_count_shown(node))])

    def get_children(self) -> Symbol | None:
        """Return the inputs of the symbol's nodes; None for a variable."""
        nodes = {id(entry.node): entry.node for entry in self._entries}
        taken = [entry for node in nodes.values() for entry in node.inputs]
        return Symbol(taken) if taken else None

    def tojson(self, remove_amp_cast: bool = True) -> str:  # noqa: ARG002 - there are no such casts
        """Return the text of a symbol file, as MXNet 1.9.1 writes it."""
        return dumps(self._entries)

    def save(self, fname: str | os.PathLike[str], remove_amp_cast: bool = True) -> None:
        """Write a symbol file."""
        text = self.tojson(remove_amp_cast)
        with open(fname, "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def infer_shape(self, *args: Any, **kwargs: Any) -> tuple[Shapes | Any, Shapes | Any, Shapes | Any]:
        """Infer the shapes of arguments, outputs and auxiliary states from those of some arguments: by name, or in the
        order of arguments.

        Returns three times None, and warns, where they do not follow. Raises MXNetError where they contradict.
        """
        shapes: tuple[Shapes | None, Shapes | None, Shapes | None] = self._inferred_shapes(args, kwargs)
        return shapes  # Any, and not None, to type checkers: scripts do not ask

    def infer_shape_partial(self, *args: Any, **kwargs: Any) -> tuple[Shapes, Shapes, Shapes]:
        """Infer shapes as far as they follow: unknown ones are ``()``, unknown sizes 0; inside ``mx.np_shape()`` None
        and -1."""
        if not is_np_shape():
            return self._partial_shapes(args, kwargs)
        arguments, outputs, states = (
            [None if shape is None else tuple(size or -1 for size in shape) for shape in shapes]
            for shapes in self._partial_shapes(args, kwargs, None)
        )
        return arguments, outputs, states

    def _inferred_shapes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        graph = self._analysis()
        inferred = graph.infer(self._given_shapes(args, kwargs), {}, strict=True)
        if unknown := graph.unknown_shapes(inferred):
            warnings.warn(unknown, stacklevel=3)
            return (None, None, None)
        return _shapes(graph, inferred)

    def _partial_shapes(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], unknown: Any = ()
    ) -> tuple[Shapes, Shapes, Shapes]:
        graph = self._analysis()
        return _shapes(graph, graph.infer(self._given_shapes(args, kwargs), {}, strict=True), unknown)

    def infer_type(self, *args: Any, **kwargs: Any) -> tuple[list[Any] | Any, list[Any] | Any, list[Any] | Any]:
        """Infer the dtypes of arguments, outputs and auxiliary states, as NumPy's classes.

        Returns three times None, and warns, where they do not follow. Raises MXNetError where they contradict.
        """
        partial = self._partial_types(args, kwargs)
        unknown = [name for name, dtype in zip(self.list_arguments(), partial[0]) if dtype is None]
        if not unknown and None not in (*partial[1], *partial[2]):
            return partial
        listed = "\n\t".join(unknown)
        warnings.warn(f"the types of these arguments do not follow; give some of them:\n\t{listed}", stacklevel=2)
        return (None, None, None)

    def infer_type_partial(self, *args: Any, **kwargs: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Infer the dtypes of arguments, outputs and auxiliary states as far as they follow; None where they do not."""
        return self._partial_types(args, kwargs)

    def _partial_types(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Types:
        known = {name: np.dtype(dtype).name for name, dtype in self._by_name(args, kwargs).items()}
        graph = self._analysis()
        variables, outputs = graph.wiring.partial_dtypes(known)
        if graph.compiled:
            variables.update(graph.binaries.partial_dtypes(known)[0])
        return _classes(graph, variables, outputs)

    def _full_types(self, known: Mapping[str, Any]) -> Types:
        """Infer the dtypes for new arrays: as ``infer_type``, but float32 where nothing says otherwise."""
        graph = self._analysis()
        inferred = graph.infer({}, {name: np.dtype(dtype).name for name, dtype in known.items()})
        return _classes(graph, inferred.dtypes, [dtype for _shape, dtype in inferred.outputs])

    def debug_str(self) -> str:
        """Describe the nodes and their inputs, for people."""
        lines = []
        if len(self._entries) > 1:
            lines += ["Symbol Outputs:"]
            lines += [f"\toutput[{at}]={node.name}({index})" for at, (node, index) in enumerate(self._entries)]
        for node in walk(self._entries):
            if node.op == "null":
                lines.append(f"Variable:{node.name}")
                continue
            lines += ["-" * 20, f"Op:{node.op}, Name={node.name}", "Inputs:"]
            lines += [f"\targ[{at}]={source.name}({index})" for at, (source, index) in enumerate(node.inputs)]
            if node.attrs:
                lines += ["Attrs:", *(f"\t{key}={value}" for key, value in sorted(node.attrs.items()))]
        return "\n".join(lines) + "\n"

    def bind(
        self,
        ctx: Context,
        args: Any,
        args_grad: Any = None,
        grad_req: Any = "write",
        aux_states: Any = None,
        group2ctx: Any = None,  # noqa: ARG002 - there is one context
        shared_exec: Any = None,  # noqa: ARG002 - memory is shared where it can be
    ) -> Executor:
        """Bind these arrays to an executor, which is placed where ``ctx`` is ``mx.neuron(i)`` (SPEC P3)."""
        executor: Executor = _bind().bind(self, ctx, args, args_grad, grad_req, aux_states)
        return executor

    def simple_bind(
        self,
        ctx: Context,
        grad_req: Any = "write",
        type_dict: Any = None,
        stype_dict: Any = None,  # noqa: ARG002 - and the other three: of sparse arrays, and of sharing
        group2ctx: Any = None,
        shared_arg_names: Any = None,  # noqa: ARG002
        shared_exec: Any = None,  # noqa: ARG002
        shared_buffer: Any = None,  # noqa: ARG002
        **shapes: Any,
    ) -> Executor:
        """Bind new arrays of zeros, in the shapes that follow from ``shapes``, to an executor. ``group2ctx``: the
        contexts of the arrays whose variables have a ``ctx_group``; the graph runs in ``ctx`` as a whole."""
        executor: Executor = _bind().simple_bind(self, ctx, grad_req, type_dict, shapes, group2ctx)
        return executor

    def eval(self, ctx: Context | None = None, **kwargs: Any) -> list[NDArray]:
        """Compute the outputs for these arrays, by the names of the arguments."""
        return self.bind(current_context() if ctx is None else ctx, kwargs, grad_req="null").forward()

    def __call__(self, *args: Any, name: str | None = None, **kwargs: Any) -> Symbol:
        """Compose: copy the graph with symbols in place of variables, by name, or in the order of arguments."""
        if args and kwargs:
            raise TypeError("compose only accepts symbols either by position or by name, not both")
        if not all(isinstance(symbol, Symbol) for symbol in (*args, *kwargs.values())):
            raise TypeError("compose takes symbols")
        arguments = self.list_inputs()
        if len(args) > len(arguments):
            raise MXNetValueError(f"{self!r} has {len(arguments)} arguments, got {len(args)}.")
        replacements = {**dict(zip(arguments, args)), **kwargs}
        for key, symbol in replacements.items():
            if key not in arguments:
                raise MXNetValueError(f"{self!r} has no argument {key!r}. It has: {', '.join(arguments)}.")
            if len(symbol) != 1:
                raise MXNetValueError(f"{key} takes one output, and {symbol!r} has {len(symbol)}.")
        composed = Symbol(_copy(self._entries, {key: symbol._entries[0] for key, symbol in replacements.items()}))
        if name is not None:
            for entry in composed._entries:
                entry.node.name = name
        return composed

    def __getitem__(self, index: Any) -> Symbol:
        if isinstance(index, str):
            places = [at for at, name in enumerate(self.list_outputs()) if name == index]
            if len(places) != 1:
                raise MXNetValueError(
                    f"{len(places) or 'no'} outputs are called {index!r}: {self.list_outputs()[:20]}."
                )
            return type(self)([self._entries[places[0]]])
        if isinstance(index, slice):
            return type(self)(self._entries[index])
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f"outputs are chosen by number, name or slice, got {index!r}")
        if not 0 <= index < len(self._entries):
            raise IndexError(f"there are {len(self._entries)} outputs, from 0, got {index}")
        return type(self)([self._entries[index]])

    def __iter__(self) -> Iterator[Symbol]:
        return (type(self)([entry]) for entry in self._entries)

    def __copy__(self) -> Symbol:
        return type(self)(_copy(self._entries, {}))

    def __deepcopy__(self, _memo: Any) -> Symbol:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (load_json, (self.tojson(),))

    def __repr__(self) -> str:
        if self.name is None:
            names = ", ".join(entry.node.name for entry in self._entries)
            return f"<{type(self).__name__} group [{names}]>"
        return f"<{type(self).__name__} {self.name}>"

    def __bool__(self) -> bool:
        raise NotImplementedForSymbol(
            "a Symbol is neither true nor false before it is bound; `symbol is None` asks for its presence"
        )

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        # ``x.reshape(...)`` is ``mx.sym.reshape(x, ...)``.
        if name in ("backward", "gradient"):
            refuse_name(f"Symbol.{name}()")
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        if find(name) is None:
            refuse_missing(f"Symbol.{name}")
        return functools.partial(functions.of(name), self)

    def as_np_ndarray(self) -> Symbol:
        """Return the same graph as a symbol that computes by NumPy's rules."""
        from neuron_adapters.mxnet.symbol.numpy import _Symbol

        return _Symbol(self._entries)

    def as_nd_ndarray(self) -> Symbol:
        """Return the symbol itself."""
        return self

    def astype(self, dtype: Any) -> Symbol:
        """Cast to ``dtype``."""
        return type(self)(create("cast", [self], {}, {"dtype": np.dtype(dtype).name}))

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Symbol:
        scalar = scalar_name(kind, swapped)
        if isinstance(other, Symbol):
            hint = scalar.removesuffix("_scalar")
            return Symbol(create(elementwise_name(kind), [self, other], {}, {}, hint=hint))
        if isinstance(other, (int, float, np.number)) and not isinstance(other, bool):
            hint = scalar if scalar in _PLAIN_HINTS else scalar.replace("_scalar", "scalar")
            return Symbol(create(scalar, [self], {}, {"scalar": other}, hint=hint))
        raise TypeError(f"a Symbol can be combined with a Symbol or a number, got {type(other).__name__}")

    def __abs__(self) -> Symbol:
        return type(self)(create("abs", [self], {}, {}))

    def _node(self) -> Node | None:
        nodes = {id(entry.node) for entry in self._entries}
        return self._entries[0].node if len(nodes) == 1 else None

    def _analysis(self) -> Graph:
        """Return the analysis of the graph as it is now."""
        graph = self._graph
        if graph is None or not graph.describes(self._entries):
            graph = self._graph = Graph(self._entries)
        return graph

    def _by_name(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if args and kwargs:
            raise MXNetValueError("arguments are given either by position or by name, not both.")
        graph = self._analysis()
        inputs = {name for name, _auxiliary in graph.variables}
        for name in kwargs:
            if name not in inputs:
                raise MXNetValueError(f"there is no argument {name!r}. These are: {', '.join(self.list_inputs())}.")
        values = {**dict(zip(graph.arguments, args)), **kwargs}
        return {name: value for name, value in values.items() if value is not None}

    def _given_shapes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        known = self._by_name(args, kwargs)
        for name, shape in known.items():
            if not isinstance(shape, (tuple, list)):
                raise TypeError(f"a shape is a tuple, got {name}={shape!r}")
        shapes = {name: tuple(max(0, int(size)) for size in shape) for name, shape in known.items()}
        return {name: shape for name, shape in shapes.items() if shape or is_np_shape()}  # else () is not known


def _create(
    operator: str,
    inputs: Sequence[Outputs],
    named: Mapping[str, Outputs],
    attrs: Mapping[str, Any],
    hint: str,
    *,
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
    **others: Any,
) -> Symbol:
    ctx = {} if others.get("ctx") is None else {"ctx": others["ctx"]}
    kind = next((type(symbol) for symbol in (*inputs, *named.values()) if type(symbol) is not Symbol), Symbol)
    result: Symbol = kind(create(operator, inputs, named, {**attrs, **ctx}, name, attr, hint))  # type: ignore[assignment]
    return result


#: The operators as functions of symbols.
functions = Functions("mx.sym", Symbol, _create)


def _classes(graph: Graph, variables: Mapping[str, str | None], outputs: Sequence[str | None]) -> Types:
    """Return NumPy's classes of arguments, outputs and auxiliary states; None where they are not known."""
    arguments, states = ([variables[name] for name in names] for names in (graph.arguments, graph.auxiliary_states))
    classes = [
        [None if dtype is None else np.dtype(dtype).type for dtype in dtypes] for dtypes in (arguments, outputs, states)
    ]
    return classes[0], classes[1], classes[2]


def _shapes(graph: Graph, inferred: Inferred, unknown: Any = ()) -> tuple[Shapes, Shapes, Shapes]:
    """Return the shapes of arguments, outputs and auxiliary states; ``unknown`` where nothing is known."""
    arguments, states = (
        [inferred.shapes[name] for name in names] for names in (graph.arguments, graph.auxiliary_states)
    )
    outputs = [shape for shape, _dtype in inferred.outputs]
    shapes = [[unknown if shape is None else shape for shape in some] for some in (arguments, outputs, states)]
    return shapes[0], shapes[1], shapes[2]


def load_json(json_str: str) -> Symbol:
    """Load the Symbol in the text of a symbol file. Raises FormatError, an MXNetError."""
    if not isinstance(json_str, (str, bytes)):
        raise TypeError(f"load_json() takes a string, got {type(json_str).__name__}")
    return Symbol(loads(json_str))


def _bind() -> Any:
    # Loaded when needed: it is what brings the engine along.
    return importlib.import_module("neuron_adapters.mxnet._bind")


def _copy(heads: Sequence[Entry], replaced: Mapping[str, Entry]) -> list[Entry]:
    """Copy all nodes but the ``replaced`` variables."""
    copies: dict[int, Node] = {}

    def of(entry: Entry) -> Entry:
        if entry.node.op == "null" and entry.node.name in replaced:
            return replaced[entry.node.name]
        return Entry(copies[id(entry.node)], entry.index)

    for node in walk(heads):
        copy = copies[id(node)] = node.taking([of(source) for source in node.inputs])
        copy.attrs = dict(node.attrs)
    return [of(entry) for entry in heads]


def _shown(attrs: Mapping[str, str]) -> dict[str, str]:
    return {**attrs, **{key: attrs[f"__{key}__"] for key in HIDDEN if f"__{key}__" in attrs}}


def _count_shown(node: Node) -> int:
    return max(1, len(_output_names(node)))


def _output_name(entry: Entry) -> str:
    node, index = entry
    if node.op == "null":
        return node.name
    names = _output_names(node)
    return f"{node.name}_{names[index] if index < len(names) else f'output{index}'}"


def _output_names(node: Node) -> Sequence[str]:
    if find(node.op) is not None:
        input_names(node)
        return output_names(node)
    count = len(node.subgraphs[0]) if node.subgraphs else 1
    return ["output"] if count == 1 else [f"output{index}" for index in range(count)]
