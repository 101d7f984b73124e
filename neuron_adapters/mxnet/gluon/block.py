"""``SymbolBlock``: a graph with its parameters. Each signature of inputs gets an executor (SPEC P3, P7)."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet._executor_cache import ExecutorCache, Models, copies, signature_of
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.gluon.parameter import Contexts, Parameter, ParameterDict, replaced
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["SymbolBlock"]

_numbers = itertools.count()


class SymbolBlock:
    """``outputs`` of a graph, one or several, from ``inputs``, variables of it. All its other variables are parameters,
    those of ``params`` where they have the same name.

    Its parameters' context is where it runs: ``mx.neuron(i)`` places it at its first call.
    """

    def __init__(
        self, outputs: Symbol | Sequence[Symbol], inputs: Symbol | Sequence[Symbol], params: Any = None
    ) -> None:
        self.name: str = f"symbolblock{next(_numbers)}"
        self.prefix = ""
        taken: list[Any] = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        graph = symbol.Group(outputs) if isinstance(outputs, (list, tuple)) else outputs
        if not isinstance(graph, Symbol) or not all(isinstance(variable, Symbol) for variable in taken):
            raise TypeError("SymbolBlock() takes symbols: outputs, and the variables that are its inputs.")
        for variable in taken:
            if variable.name is None or variable.list_inputs() != [variable.name]:
                raise MXNetValueError(f"the inputs of a SymbolBlock are variables, got {variable!r}.")
        self._graph = graph
        self._inputs = [str(variable.name) for variable in taken]
        self._params = ParameterDict()
        arguments, auxiliary = graph.list_arguments(), set(graph.list_auxiliary_states())
        types = graph.infer_type()
        dtypes = {**dict(zip(arguments, types[0])), **dict(zip(graph.list_auxiliary_states(), types[2]))}
        for name in [*arguments, *graph.list_auxiliary_states()]:
            if name not in self._inputs:
                shared = params[name] if params is not None and name in params else None
                self._params[name] = shared or Parameter(name, "null" if name in auxiliary else "write", dtypes[name])
        self._caches: dict[Context, ExecutorCache] = {}
        self._arrays: dict[str, NDArray] = {}
        self._seen = -1
        self._guard = threading.RLock()  # a signal handler may call what its own thread is calling

    @staticmethod
    def imports(
        symbol_file: str | os.PathLike[str],
        input_names: str | Sequence[str],
        param_file: str | os.PathLike[str] | None = None,
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> SymbolBlock:
        """The block of a checkpoint, or of what ``export`` wrote. ``ctx``: where it runs; of several, where its inputs
        are.

        Raises MXNetError for parameters that are missing or too many, unless allowed.
        """
        names = [input_names] if isinstance(input_names, str) else list(input_names)
        block = SymbolBlock(symbol.load(symbol_file), [symbol.var(name) for name in names])
        if param_file is not None:
            block._params.load(param_file, ctx, allow_missing, ignore_extra)
        return block

    # -- calls --------------------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any) -> Any:
        """The output for NDArrays in the order of the inputs, or a list of outputs where the graph has several. For
        symbols, the graph on top of them.

        Raises MXNetValueError for another number of inputs, MXNetError where a parameter has no array.
        """
        if len(inputs) != len(self._inputs):
            raise MXNetValueError(
                f"The block takes {len(self._inputs)} inputs ({', '.join(self._inputs)}), got {len(inputs)}."
            )
        fed = dict(zip(self._inputs, inputs))
        if all(isinstance(value, Symbol) for value in inputs):
            return self._graph(**{name: value for name, value in fed.items() if name in self._graph.list_inputs()})
        strange = [type(value).__name__ for value in inputs if not isinstance(value, NDArray)]
        if strange:
            raise TypeError(f"a block takes NDArrays or Symbols, got {strange[0]}: mx.nd.array()")
        with self._guard:
            if self._seen != replaced.value:
                self._look()
            context = self._context(inputs[0].context)
            cache = self._caches.get(context)
            if cache is None:
                cache = self._caches[context] = ExecutorCache(self._graph, context)
                remember(self, Models(list(self._caches.values())))
            known = {name: fed[name] for name in self._fed}
            executor = cache.executor(signature_of(known), self._arrays)
        kind = type(inputs[0])  # an array of mx.np gives arrays of mx.np
        results = [kind(array, inputs[0].context) for array in executor.copied(known)]
        return results[0] if len(results) == 1 else results

    forward = __call__

    def _look(self) -> None:
        """Drop the executors where a parameter became another array, or is used in other contexts."""
        seen = replaced.value
        arrays = {name: parameter.data() for name, parameter in self._params.items()}
        contexts = [parameter.list_ctx() for parameter in self._params.values()]
        if self._seen < 0 or any(arrays[name] is not self._arrays.get(name) for name in arrays):
            self._caches.clear()
        self._contexts = contexts[0] if contexts else []
        for name, own_contexts in zip(self._params, contexts):
            if own_contexts != self._contexts:
                raise MXNetError(
                    f"All parameters are used on the same contexts, got {self._contexts} and {own_contexts} ({name})."
                )
        arguments = set(self._graph.list_arguments())
        self._fed = [name for name in self._inputs if name in arguments]
        self._arrays, self._seen = arrays, seen

    def _context(self, of_input: Context) -> Context:
        if not self._contexts:
            return current_context()
        return of_input if of_input in self._contexts else self._contexts[0]

    def hybridize(self, active: bool = True, **_kwargs: Any) -> None:
        """Do nothing: a block is a graph already."""

    def infer_shape(self, *args: NDArray) -> None:
        """Do nothing: parameters have the shapes that they are loaded with."""

    # -- parameters ---------------------------------------------------------------------------------------------

    @property
    def params(self) -> ParameterDict:
        """The parameters."""
        return self._params

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """Return the parameters, or those whose names match ``select``, a regular expression."""
        chosen = self._params.items()
        return ParameterDict.of(
            {name: parameter for name, parameter in chosen if select is None or re.match(select, name)}
        )

    def initialize(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: there is nothing to train."""
        self._params.initialize(*args, **kwargs)

    def reset_ctx(self, ctx: Contexts) -> None:
        """Run on ``ctx`` from now on."""
        self._params.reset_ctx(ctx)

    def cast(self, dtype: Any) -> None:
        """Compute in ``dtype``: cast every parameter that follows the inputs' dtype, and no other."""
        graph = self._graph
        before = graph.infer_type()
        after = graph.infer_type(**dict.fromkeys((name for name in self._inputs if name in graph.list_inputs()), dtype))
        for names, old, new in zip((graph.list_arguments(), [], graph.list_auxiliary_states()), before, after):
            for name, was, is_now in zip(names, old, new):
                if name in self._params and was != is_now:
                    self._params[name].cast(is_now)

    def save_parameters(self, filename: str | os.PathLike[str], deduplicate: bool = False) -> None:  # noqa: ARG002
        """Write the parameters, their names without what all of them begin with, as MXNet has it."""
        self._params.save(filename, self._common_prefix())

    def load_parameters(
        self,
        filename: str | os.PathLike[str],
        ctx: Contexts = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,  # noqa: ARG002 - the file's dtype it is
        dtype_source: str = "current",  # noqa: ARG002
    ) -> None:
        """Read the parameters from a file of ``save_parameters`` or ``export``, or of a checkpoint."""
        loaded = ndarray.load(filename)
        loaded = loaded if isinstance(loaded, dict) else {}
        whole = any(key.removeprefix("arg:").removeprefix("aux:") in self._params for key in loaded)
        self._params.load(filename, ctx, allow_missing, ignore_extra, "" if whole else self._common_prefix())

    load_params = load_parameters
    save_params = save_parameters

    def export(self, path: str, epoch: int = 0, remove_amp_cast: Any = True) -> None:
        """Write ``PATH-symbol.json`` and ``PATH-0000.params``, a checkpoint."""
        self._graph.save(f"{path}-symbol.json", bool(remove_amp_cast))
        auxiliary = set(self._graph.list_auxiliary_states())
        named = {
            f"{'aux' if name in auxiliary else 'arg'}:{name}": self._params[name].data()
            for name in self._graph.list_inputs()
            if name in self._params
        }
        ndarray.save(f"{path}-{epoch:04d}.params", named)

    def taken_apart(self) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
        """Return the graph, and copies of its arguments and auxiliary states."""
        arrays = copies({name: parameter.data() for name, parameter in self._params.items()})
        auxiliary = set(self._graph.list_auxiliary_states())
        return (
            self._graph,
            {name: array for name, array in arrays.items() if name not in auxiliary},
            {name: array for name, array in arrays.items() if name in auxiliary},
        )

    def with_graph(self, graph: Symbol, arrays: dict[str, NDArray]) -> SymbolBlock:
        """Create a block over another graph with these parameters, the same inputs and contexts."""
        block = SymbolBlock(graph, [symbol.var(name) for name in self._inputs])
        contexts = self._params.list_ctx()
        for name, parameter in block._params.items():
            parameter.become(arrays[name], contexts)
        return block

    def _common_prefix(self) -> str:
        return os.path.commonprefix(list(self._params))  # noqa: RUF071 - letter by letter is what is wanted

    def __repr__(self) -> str:
        outputs = len(self._graph.list_outputs())
        return f"{type(self).__name__}(\n{self._graph!r} : {len(self._inputs)} -> {outputs}\n)"
