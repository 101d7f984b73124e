"""``SymbolBlock``: a graph with its parameters."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet._executor_cache import copies
from neuron_adapters.mxnet.base import MXNetAssertionError, MXNetValueError
from neuron_adapters.mxnet.gluon._graph_call import GraphCall
from neuron_adapters.mxnet.gluon._hybrid import HybridBlock
from neuron_adapters.mxnet.gluon.parameter import Contexts, Parameter, ParameterDict
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["SymbolBlock"]

_numbers = itertools.count()


class SymbolBlock(HybridBlock):
    """``outputs`` of a graph, one or several, from ``inputs``, variables of it. All its other variables are parameters,
    those of ``params`` where they have the same name.

    Its parameters' context is where it runs: ``mx.neuron(i)`` places it at its first call.
    """

    def __init__(
        self, outputs: Symbol | Sequence[Symbol], inputs: Symbol | Sequence[Symbol], params: Any = None
    ) -> None:
        super().__init__(prefix="", params=None)
        self._name = f"symbolblock{next(_numbers)}"
        taken: list[Any] = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        graph = symbol.Group(outputs) if isinstance(outputs, (list, tuple)) else outputs
        if not isinstance(graph, Symbol) or not all(isinstance(variable, Symbol) for variable in taken):
            raise TypeError("SymbolBlock() takes symbols: outputs, and the variables that are its inputs.")
        for variable in taken:
            if variable.name is None or variable.list_inputs() != [variable.name]:
                raise MXNetValueError(f"the inputs of a SymbolBlock are variables, got {variable!r}.")
        stored = graph.attr_dict()
        if sparse := [name for name in graph.list_inputs() if stored.get(name, {}).get("__storage_type__", "0") == "1"]:
            raise MXNetAssertionError(f"SymbolBlock() of {', '.join(sparse)}: sparse arrays are not in this package.")
        self._graph = graph
        self._inputs = [str(variable.name) for variable in taken]
        self._params = self._parameters(params)
        # In a file of a block that holds this one, its parameters go by the names without what all begin with.
        common = len(self._common_prefix())
        self._reg_params.update({name[common:]: parameter for name, parameter in self._params.items()})
        self._cached_graph = taken, graph
        self._cached_op = GraphCall(graph, self._inputs, self._params)

    def _parameters(self, shared: Any) -> ParameterDict:
        graph, parameters = self._graph, ParameterDict()
        arguments, auxiliary = graph.list_arguments(), set(graph.list_auxiliary_states())
        types = graph._full_types({})
        dtypes = {**dict(zip(arguments, types[0])), **dict(zip(graph.list_auxiliary_states(), types[2]))}
        for name in [*arguments, *graph.list_auxiliary_states()]:
            if name not in self._inputs:
                known = shared[name] if shared is not None and name in shared else None
                parameters[name] = known or Parameter(
                    name, "null" if name in auxiliary else "write", None, dtypes[name], allow_deferred_init=True
                )
        return parameters

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

    def forward(self, *inputs: Any) -> Any:
        """The output for NDArrays in the order of the inputs, or a list of outputs where the graph has several. For
        symbols, the graph on top of them.

        Raises MXNetValueError for another number of inputs, MXNetError where a parameter has no array.
        """
        if len(inputs) != len(self._inputs):
            raise MXNetValueError(
                f"The block takes {len(self._inputs)} inputs ({', '.join(self._inputs)}), got {len(inputs)}."
            )
        if all(isinstance(value, Symbol) for value in inputs):
            known = set(self._graph.list_inputs())
            graph = self._graph(**{name: value for name, value in zip(self._inputs, inputs) if name in known})
            return graph if len(graph) == 1 else list(graph)
        strange = [type(value).__name__ for value in inputs if not isinstance(value, NDArray)]
        if strange:
            raise TypeError(f"a block takes NDArrays or Symbols, got {strange[0]}: mx.nd.array()")
        assert self._cached_op is not None
        if any(parameter._deferred is not None for parameter in self._params.values()):
            self._finish_deferred(self._params, *inputs)
        results = self._cached_op(self, inputs, self._op_hook)
        return results[0] if len(results) == 1 else results

    def infer_shape(self, *args: Any) -> None:
        """Find out the shapes of parameters that have no array yet."""
        if any(parameter._array is None for parameter in self._params.values()):
            super().infer_shape(*args)

    def _clear_cached_op(self) -> None:
        """Keep the graph: it is what the block is."""
        if not hasattr(self, "_graph"):
            super()._clear_cached_op()

    # -- parameters --------------------------------------------------------------------------------------------------

    def cast(self, dtype: Any) -> None:
        """Compute in ``dtype``: cast every parameter that follows the inputs' dtype, and no other."""
        graph = self._graph
        before = graph._full_types({})
        after = graph._full_types(dict.fromkeys((name for name in self._inputs if name in graph.list_inputs()), dtype))
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

    def load_params(
        self, filename: str, ctx: Contexts = None, allow_missing: bool = False, ignore_extra: bool = False
    ) -> None:
        """Do as ``load_parameters`` does."""
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def save_params(self, filename: str) -> None:
        """Do as ``save_parameters`` does."""
        self.save_parameters(filename)

    def taken_apart(self) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
        """Return the graph, and copies of its arguments and auxiliary states."""
        arrays = copies({name: parameter.data() for name, parameter in self._params.items()})
        auxiliary = set(self._graph.list_auxiliary_states())
        return (
            self._graph,
            {name: array for name, array in arrays.items() if name not in auxiliary},
            {name: array for name, array in arrays.items() if name in auxiliary},
        )

    def as_symbol_block(self, input_names: Sequence[str]) -> SymbolBlock:  # noqa: ARG002 - it has names
        """Return the block itself."""
        return self

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
