"""Gluon blocks on NeuronCores: what a hybridized block, and a SymbolBlock, calls is run where the block is placed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import mxnet as mx

from neuron_adapters.adapter.placed import model_of, remember
from neuron_adapters.mx._real.context import NeuronContext, place_of
from neuron_adapters.mx._real.device import Device, copy_to, move, place
from neuron_adapters.mx._real.executor import name_of, refuse_training
from neuron_adapters.mx._real.symbol import CompiledSymbol, verify
from neuron_adapters.mxnet._subgraphs import pipeline_cores
from neuron_rt import Model

__all__ = ["PlacedOp", "wrap_build_cache", "wrap_export", "wrap_forward", "wrap_imports", "wrap_write"]


class _Changes:
    """How often parameters were given values, all together."""

    count = 0


class PlacedOp:
    """What a block calls instead of its cached graph.

    It keeps the parameters where the block is placed, and copies them again after ``set_data``, ``load_parameters``,
    ``initialize`` and ``reset_ctx``; what is written to ``data()`` directly shows after one of these.
    """

    def __init__(self, op: Any, arguments: Sequence[tuple[bool, Any]], model: Model, context: Any) -> None:
        """``arguments``: whether each is given at the call, and its number, or the parameter."""
        self._op = op
        self._params = {index: number for index, (is_input, number) in enumerate(arguments) if not is_input}
        self._model = model
        self._context = context
        self._held: dict[int, Any] = {}
        self._seen = -1

    def __call__(self, *arrays: Any) -> Any:
        refuse_training("a call")
        if self._seen != _Changes.count:
            self._look()
        slot = self._model.slot or self._model.pick()
        device = Device.of(slot)
        return device.run(slot, self._run, device.context, arrays)

    def _look(self) -> None:
        """Move where the parameters went, and copy them again at the next run."""
        context = context_of(self._params.values()) or self._context
        if context != self._context:
            move(self._model, place_of(context))
            self._context = context
        self._held = {}
        self._seen = _Changes.count

    def _run(self, context: Any, arrays: Sequence[Any]) -> Any:
        """Call the graph, in the slot."""
        if not self._held:
            self._held = {index: copy_to(arrays[index], context) for index in self._params}
        outputs = self._op(*(
            self._held[index] if index in self._held else copy_to(array, context) for index, array in enumerate(arrays)
        ))  # fmt: skip
        outputs = [outputs] if isinstance(outputs, mx.nd.NDArray) else outputs
        return [copy_to(output, mx.cpu()) for output in outputs]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)


def wrap_build_cache(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``HybridBlock._build_cache``, where a block makes its graph ready at its first call."""

    @functools.wraps(build)
    def hooked(self: Any, *args: Any) -> None:
        graph = self._cached_graph
        symbol = graph[1] if graph else None
        if isinstance(symbol, CompiledSymbol):
            plain = symbol.inlined()
            taken = set(plain.list_inputs())
            self._cached_graph = graph[0], plain
            self._cached_op_args = [
                (False, parameter) for name, parameter in self.collect_params().items() if name in taken
            ]
            try:
                build(self, *args)
            finally:
                self._cached_graph = graph
        else:
            build(self, *args)
        model, context = _model_of(self, symbol)
        if model is not None:
            self._cached_op = PlacedOp(self._cached_op, self._cached_op_args, model, context)

    return hooked


def wrap_export(export: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``HybridBlock.export``: write a compiled block with all its arrays, whether it ran or not. MXNet writes
    those that its last graph took, which are none before the first call, and never the compiled part's own."""

    @functools.wraps(export)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        graph = self._cached_graph
        if not graph or not isinstance(graph[1], CompiledSymbol):
            return export(self, *args, **kwargs)
        taken = self._cached_op_args
        self._cached_op_args = [(False, parameter) for parameter in self.collect_params().values()]
        try:
            return export(self, *args, **kwargs)
        finally:
            self._cached_op_args = taken

    return hooked


def wrap_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``HybridBlock.forward``: refuse to run operators one by one, which nothing can place."""

    @functools.wraps(forward)
    def hooked(self: Any, x: Any, *args: Any) -> Any:
        if not self._active and isinstance(x, mx.nd.NDArray):
            context = context_of(self._reg_params.values())
            if context is not None:
                raise mx.MXNetError(
                    f"{self.name} is on {context!r} and is not hybridized, so there is no graph to place: call "
                    "hybridize() first, or initialize it on mx.cpu()."
                )
        return forward(self, x, *args)

    return hooked


def wrap_imports(imports: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``SymbolBlock.imports``, so that what is imported is placed (SPEC P3)."""

    @functools.wraps(imports)
    def hooked(
        symbol_file: str,
        input_names: Any,
        param_file: Any = None,
        ctx: Any = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> Any:
        block = imports(symbol_file, input_names, param_file, ctx, allow_missing, ignore_extra)
        if param_file is not None:
            _model_of(block, block._cached_graph[1])
        return block

    return hooked


def wrap_write(change: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what gives parameters their values."""

    @functools.wraps(change)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return change(self, *args, **kwargs)
        finally:
            _Changes.count += 1

    return hooked


def context_of(params: Any) -> Any:
    """Return the context of parameters that are on NeuronCores; None where they are not. Raises MXNetError where they
    are on more than one."""
    contexts: list[Any] = []
    for parameter in params:
        for context in parameter._ctx_list or ():
            if context not in contexts:
                contexts.append(context)
    if not any(isinstance(context, NeuronContext) for context in contexts):
        return None
    if len(contexts) > 1:
        raise mx.MXNetError(
            f"The parameters are on {', '.join(map(repr, contexts))}: on NeuronCores a block has one context. Load it "
            "once for each."
        )
    return contexts[0]


def _model_of(block: Any, symbol: Any) -> tuple[Model | None, Any]:
    """Return the block's model, placed, and its context; None where it is not for NeuronCores."""
    is_compiled = isinstance(symbol, CompiledSymbol)
    context = context_of(block.collect_params().values()) or (mx.cpu() if is_compiled else None)
    if context is None:
        return None, None
    model = model_of(block)
    if model is None:
        verify(
            symbol, {name: parameter.data() for name, parameter in block.collect_params().items() if parameter._data}
        )
        name, file = name_of(symbol) if is_compiled else (block.name or type(block).__name__, "")
        cores = pipeline_cores(symbol._own._analysis().compiled) if is_compiled else 1
        model = place(name, cores, place_of(context), file)
        remember(block, model)
    return model, context
