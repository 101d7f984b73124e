"""``mx.contrib.neuron``, also known as ``mx_neuron``: the compiler's front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from neuron_adapters.mx._compile import compile_symbol
from neuron_adapters.mxnet.gluon import HybridBlock, SymbolBlock
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol
from neuron_rt import CompileError

__all__ = ["compile"]

Arrays = Mapping[str, NDArray]


@overload
def compile(  # noqa: A001
    obj: Symbol,
    args: Arrays | None = None,
    aux: Arrays | None = None,
    inputs: Mapping[str, Any] | None = None,
    **compile_args: Any,
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]: ...


@overload
def compile(  # noqa: A001
    obj: HybridBlock, args: None = None, aux: None = None, inputs: Mapping[str, Any] | None = None, **compile_args: Any
) -> SymbolBlock: ...


def compile(  # noqa: A001 - mx_neuron's name
    obj: Symbol | HybridBlock,
    args: Arrays | None = None,
    aux: Arrays | None = None,
    inputs: Mapping[str, Any] | None = None,
    **compile_args: Any,
) -> SymbolBlock | tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Compile for NeuronCores (SPEC K1): a Symbol with its arrays to ``(sym, args, aux)``, a block to a block.

    ``inputs``: an example for each input by name. ``compile_args``: ``excl_node_names``, ``flags``, ``work_dir``, and
    flags of the compiler such as ``**{"--neuroncore-pipeline-cores": 2}``; docs/mx.md has them all.

    Raises TypeError for anything else, CompileError for what cannot be compiled.
    """
    if isinstance(obj, Symbol):
        return compile_symbol(obj, args, aux, inputs, **compile_args)
    if not isinstance(obj, HybridBlock):
        raise TypeError(f"compile() takes a Symbol or a gluon.HybridBlock, got {type(obj).__name__}.")
    if args is not None or aux is not None:
        raise CompileError("A block has its own parameters: compile(block, inputs={...}).")
    block = obj.as_symbol_block(list(inputs or ()))
    graph, arguments, states = compile_symbol(*block.taken_apart(), inputs, **compile_args)
    return block.with_graph(graph, {**arguments, **states})
