"""``HybridBlock``: a block that runs operator by operator, or, once hybridized, as one graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.gluon._block import Block
from neuron_adapters.mxnet.gluon._graph_call import GraphCall
from neuron_adapters.mxnet.gluon._nest import Form, flattened, grouped, tensors_in
from neuron_adapters.mxnet.gluon.parameter import DeferredInitializationError, Parameter, ParameterDict
from neuron_adapters.mxnet.monitor import operator_watcher
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol
from neuron_adapters.mxnet.util import is_np_array

if TYPE_CHECKING:
    from neuron_adapters.mxnet.gluon._symbol_block import SymbolBlock
    from neuron_adapters.mxnet.numpy_form._form import Watch

__all__ = ["HybridBlock"]


class HybridBlock(Block):
    """A block whose ``hybrid_forward(F, x, ..., **parameters)`` says how it computes: ``F`` is ``mx.nd`` or ``mx.sym``.

    ``hybridize()`` makes a graph of it, which runs where its parameters are: ``mx.neuron(i)`` places it at its first
    call. What is not hybridized is computed by NumPy, which is slow.
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        super().__init__(prefix, params)
        self._active = False
        self._op_hook: Watch | None = None
        self._clear_cached_op()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, HybridBlock):
            self._clear_cached_op()

    def _clear_cached_op(self) -> None:
        self._cached_graph: tuple[list[Symbol], Symbol] | tuple[()] = ()
        self._cached_op: GraphCall | None = None
        self._classic: list[bool] = []
        self._in_form: Form = None
        self._out_form: Form = None

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Add a HybridBlock that ``hybrid_forward`` calls. Raises ValueError for any other."""
        if not isinstance(block, HybridBlock):
            raise MXNetValueError(
                f"Children of HybridBlock must also be HybridBlock, but {block!r} has type {type(block)}. If you are "
                "using Sequential, please try HybridSequential instead."
            )
        super().register_child(block, name)
        self._clear_cached_op()

    def hybridize(self, active: bool = True, backend: str | None = None, clear: bool = True, **options: Any) -> None:
        """Run as one graph from now on, or not any more. Raises MXNetError for a ``backend``; the other options, which
        are of memory and threads, change nothing here."""
        if backend is not None:
            raise MXNetError(f"hybridize(backend={backend!r}): this package has no backends to optimize for.")
        self._active = active
        if clear:
            self._clear_cached_op()
        if active and (self._forward_hooks or self._forward_pre_hooks):
            warnings.warn(
                f'"{self}" is being hybridized while still having forward hook/pre-hook. If "{self}" is a child of '
                "HybridBlock, the hooks will not take effect.",
                stacklevel=2,
            )
        super().hybridize(active, **options)

    def register_op_hook(self, callback: Callable[..., Any] | None, monitor_all: bool = False) -> None:
        """Let ``callback(name, operator, array)`` see the outputs of every operator, as ``Block.register_op_hook``
        says, where the block itself runs as a graph, or one of its children does."""
        self._op_hook = None if callback is None else operator_watcher(callback, monitor_all)
        super().register_op_hook(callback, monitor_all)

    def optimize_for(self, x: Any, *args: Any, backend: str | None = None, **options: Any) -> None:  # noqa: ARG002
        """Refuse: there are no backends."""
        self.hybridize(True, backend or "")

    def cast(self, dtype: Any) -> None:
        """Compute in ``dtype`` from now on."""
        self._clear_cached_op()
        super().cast(dtype)

    # -- the graph ---------------------------------------------------------------------------------------------------

    def _get_graph(self, *args: Any) -> tuple[list[Symbol], Symbol]:
        if not self._cached_graph:
            leaves, self._in_form = flattened(list(args), "inputs")
            if not leaves:
                raise MXNetValueError(f"a HybridBlock takes at least one array, got {args}.")
            names = ["data"] if len(leaves) == 1 else [f"data{place}" for place in range(len(leaves))]
            inputs = [symbol.var(name) for name in names]
            parameters = {name: parameter.var() for name, parameter in self._reg_params.items()}
            if _by_numpy(leaves):
                inputs = [variable.as_np_ndarray() for variable in inputs]
                parameters = {name: variable.as_np_ndarray() for name, variable in parameters.items()}
            with self.name_scope():
                out = self.hybrid_forward(symbol, *grouped(inputs, self._in_form), **parameters)
            outputs, self._out_form = flattened(out, "output")
            self._classic = [_by_numpy(leaves) and type(output) is Symbol for output in outputs]
            self._cached_graph = inputs, symbol.Group(outputs)
        return self._cached_graph

    def infer_shape(self, *args: Any) -> None:
        """Find out the parameters' shapes from inputs, or symbols of known shapes."""
        self._infer("shape", *args)

    def infer_type(self, *args: Any) -> None:
        """Find out the parameters' dtypes from inputs."""
        self._infer("dtype", *args)

    def _infer(self, what: str, *args: Any) -> None:
        inputs, graph = self._get_graph(*args)
        leaves, _form = flattened(list(args), "inputs")
        arguments = set(graph.list_arguments())
        known = {
            str(variable.name): getattr(leaf, what)
            for variable, leaf in zip(inputs, leaves)
            if variable.name in arguments
        }
        of_arguments, _outputs, of_states = graph.infer_shape(**known) if what == "shape" else graph._full_types(known)
        if of_arguments is None:
            raise MXNetValueError(f"the {what}s of the parameters of {self.name} do not follow from {known}.")
        inferred = dict(zip(graph.list_arguments(), of_arguments))
        inferred.update(zip(graph.list_auxiliary_states(), of_states))
        for name, parameter in self.collect_params().items():
            if name in inferred:
                setattr(parameter, what, inferred[name])

    def _finish_deferred(self, parameters: ParameterDict, *args: Any) -> None:
        try:
            self.infer_shape(*args)
        except MXNetError as error:
            raise MXNetValueError(
                f"Deferred initialization failed because shape cannot be inferred. {error}"
            ) from error
        for parameter in parameters.values():
            parameter._finish_deferred_init()

    # -- calls -------------------------------------------------------------------------------------------------------

    def forward(self, x: Any, *args: Any) -> Any:
        """Compute for NDArrays, or return the graph on top of Symbols."""
        leaves = tensors_in([x, *args])
        kinds = {isinstance(leaf, Symbol) for leaf in leaves}
        if len(kinds) != 1:
            raise MXNetValueError(
                f"a HybridBlock takes either NDArrays or Symbols, and at least one, got {[x, *args]!r}."
            )
        if kinds.pop():
            parameters: dict[str, Any] = {name: parameter.var() for name, parameter in self._reg_params.items()}
            if _by_numpy(leaves):
                parameters = {name: variable.as_np_ndarray() for name, variable in parameters.items()}
            with self.name_scope():
                return self.hybrid_forward(symbol, x, *args, **parameters)
        empty = _by_numpy(leaves) and not all(leaf.size for leaf in leaves)  # in a graph 0 is a size not known yet
        if self._active and not empty:
            return self._call_graph(x, *args)
        context: Context = leaves[0].context
        with context:
            arrays = self._own_arrays(x, *args)
            return self.hybrid_forward(ndarray, x, *args, **arrays)

    def _own_arrays(self, *args: Any) -> dict[str, NDArray]:
        try:
            arrays = {name: parameter.data() for name, parameter in self._reg_params.items()}
        except DeferredInitializationError:
            self._finish_deferred(self.params, *args)
            arrays = {name: parameter.data() for name, parameter in self._reg_params.items()}
        for name, parameter in self._reg_params.items():
            if any(context.device_type == "neuron" for context in parameter.list_ctx()):
                raise MXNetError(
                    f"{self.name} has {name} on {parameter.list_ctx()[0]} and is not hybridized: a NeuronCore runs "
                    "graphs. Call hybridize() on the network first."
                )
        return {name: array.as_np_ndarray() for name, array in arrays.items()} if _by_numpy(args) else arrays

    def _call_graph(self, *args: Any) -> Any:
        leaves, form = flattened(list(args), "inputs")
        contexts = {leaf.context.device_id for leaf in leaves if leaf.context.device_type.startswith("cpu")}
        if len(contexts) > 1:
            raise MXNetValueError(f"the inputs of a hybridized block are of one context, got cpu {sorted(contexts)}.")
        if self._cached_op is None:
            self._cached_op = self._new_call(*args)
        if form != self._in_form and _full(form) != _full(self._in_form):
            raise MXNetValueError(
                f"The argument structure of HybridBlock does not match the cached version. It was called with "
                f"{self._in_form} first, and with {form} now: hybridize() again to make another graph."
            )
        results = self._cached_op(self, leaves, self._op_hook)
        if any(self._classic):
            results = [array.as_nd_ndarray() if classic else array for array, classic in zip(results, self._classic)]
        return grouped(results, self._out_form)

    def _new_call(self, *args: Any) -> GraphCall:
        inputs, graph = self._get_graph(*args)
        names, needed = [str(variable.name) for variable in inputs], set(graph.list_inputs())
        everything = self.collect_params()
        strange = needed - everything.keys() - set(names)
        if strange:
            raise MXNetError(f"Unknown input to HybridBlock: {', '.join(sorted(strange))}.")
        _warn_of_unused("input", [name for name in names if name not in needed])
        _warn_of_unused("Parameter", [name for name in everything if name not in needed])
        parameters: dict[str, Parameter] = {name: each for name, each in everything.items() if name in needed}
        try:
            for parameter in parameters.values():
                parameter.data()
        except DeferredInitializationError:
            self._finish_deferred(ParameterDict.of(parameters), *args)
        return GraphCall(graph, names, parameters)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute with the functions of ``F``: what derives from it says how."""
        raise NotImplementedError(f"{type(self).__name__}.hybrid_forward()")

    # -- files -------------------------------------------------------------------------------------------------------

    def export(self, path: str, epoch: int = 0, remove_amp_cast: Any = True) -> None:
        """Write ``PATH-symbol.json`` and ``PATH-0000.params``, a checkpoint. Raises RuntimeError before the first call
        as a graph."""
        graph, arguments, states = self._graph_and_arrays()
        graph.save(f"{path}-symbol.json", bool(remove_amp_cast))
        everything = {f"arg:{name}": array for name, array in arguments.items()}
        everything.update({f"aux:{name}": array for name, array in states.items()})
        order = {name: place for place, name in enumerate(graph.list_inputs())}
        ordered = sorted(everything, key=lambda name: order[name[4:]])
        ndarray.save(f"{path}-{epoch:04d}.params", {name: everything[name] for name in ordered})

    def as_symbol_block(self, input_names: Sequence[str]) -> SymbolBlock:
        """Return a SymbolBlock of its graph, with the same parameters; its inputs have these names."""
        from neuron_adapters.mxnet.gluon._symbol_block import SymbolBlock

        inputs = [symbol.var(name) for name in input_names]
        outputs, _form = flattened(self(*inputs), "output")
        return SymbolBlock(symbol.Group(outputs), inputs, self.collect_params())

    def _graph_and_arrays(self) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
        if not self._cached_graph:
            raise MXNetError(
                "Please first call block.hybridize() and then run forward with this block at least once before "
                "export()."
            )
        graph, everything = self._cached_graph[1], self.collect_params()
        return (
            graph,
            {name: everything[name].data() for name in graph.list_arguments() if name in everything},
            {name: everything[name].data() for name in graph.list_auxiliary_states() if name in everything},
        )


def _by_numpy(leaves: Sequence[Any]) -> bool:
    """Whether a block computes by NumPy's rules for such inputs: in ``npx.set_np()``, and where one is of ``mx.np``."""
    return is_np_array() or any(type(leaf) not in (NDArray, Symbol) for leaf in tensors_in(list(leaves)))


def _full(form: list[Form]) -> list[Form]:
    """Return a form without the Nones at its end: arguments that have defaults may be left out."""
    full = list(form or ())
    while full and full[-1] is None:
        full.pop()
    return full


def _warn_of_unused(what: str, names: list[str]) -> None:
    if names:
        warnings.warn(f"{what} {', '.join(names)} is not used by any computation. Is this intended?", stacklevel=5)
