"""``bind`` and ``simple_bind`` of the real mxnet on NeuronCores: its own executor, run where the runtime puts it."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import mxnet as mx
import numpy as np

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mx._real.context import NeuronContext, place_of
from neuron_adapters.mx._real.device import Device, copy, copy_to, place
from neuron_adapters.mx._real.symbol import CompiledSymbol, graph_of, verify
from neuron_adapters.mxnet._bind import gradient_of, unsaid
from neuron_adapters.mxnet._subgraphs import pipeline_cores
from neuron_rt import Model

__all__ = ["NeuronExecutor", "name_of", "refuse_training", "wrap_bind", "wrap_eval", "wrap_simple_bind"]

_INFERENCE_ONLY = "NeuronCores infer only. Train on mx.cpu()."


class NeuronExecutor(mx.executor.Executor):  # type: ignore[misc] # mxnet has no types
    """An executor of mxnet's on NeuronCores (SPEC P3). Not made directly: ``bind`` and ``simple_bind`` return one.

    Its arrays, ``arg_dict`` and the like, are what a run reads. Those of ``simple_bind`` are its own, or those that it
    shares with another executor. Of ``bind`` inputs are the arrays that were given, and weights and auxiliary states
    are its own: what is written to the arrays that were given for these shows after ``copy_params_from``. ``outputs``
    are of ``cpu(0)``, and every run writes them anew.
    """

    def __init__(self, symbol: Any, ctx: Any, inner: Any, model: Model, fed: Mapping[str, Any]) -> None:
        """``inner`` computes; ``fed``: arrays that are not ``inner``'s and that a run copies there, by the names of
        arguments and auxiliary states."""
        self._symbol = symbol
        self._ctx = ctx
        self._inner = inner
        self._model = model
        self._device = Device.of(model.pick())
        own = {**inner.arg_dict, **inner.aux_dict}
        self._fed = {name: (array, own[name]) for name, array in fed.items() if name in own}
        arrays = {**own, **fed}
        self.arg_arrays = [arrays[name] for name in symbol.list_arguments()]
        self.aux_arrays = [arrays[name] for name in symbol.list_auxiliary_states()]
        self.grad_arrays = [None] * len(self.arg_arrays)
        self.outputs = [_blank(output) for output in inner.outputs]
        self._arg_dict = self._aux_dict = self._grad_dict = self._output_dict = None
        remember(self, model)

    def __del__(self) -> None:
        """Nothing: mxnet's own executor, which is in here, ends itself."""

    @property
    def handle(self) -> Any:
        """That of the executor that computes."""
        return self._inner.handle

    def fed(self, arguments: Sequence[str]) -> bool:
        """Whether a run copies one of ``arguments``, or an auxiliary state, from an array that is not mxnet's
        executor's."""
        return any(name in self._fed for name in (*arguments, *self._symbol.list_auxiliary_states()))

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[Any]:
        """Run, after copying ``kwargs`` to the arguments of those names; the outputs, computed.

        Raises what mxnet's does for an unknown name, another shape and another type, MXNetError where ``is_train`` is
        set, and ModelNotLoadedError where it was unloaded or in a forked child.
        """
        if is_train:
            raise mx.MXNetError(f"forward(is_train=True): {_INFERENCE_ONLY}")
        slot = self._model.slot or self._model.pick()
        for name, value in kwargs.items():
            self._feed(name, value)
        self._device.run(slot, self._run)
        return self.outputs

    def _feed(self, name: str, value: Any) -> None:
        if not isinstance(value, (mx.nd.NDArray, np.ndarray)):
            raise ValueError("only accept keyword argument of NDArrays and numpy.ndarray")
        target = self.arg_dict.get(name)
        if target is None:
            raise TypeError(f"Unknown argument {name}")
        if target.shape != value.shape:
            raise ValueError(f"Shape not match! Argument {name}, need: {target.shape}, received: {value.shape}")
        if isinstance(value, np.ndarray):
            target._sync_copyfrom(value)
        elif value.dtype == target.dtype and value.stype == "default":
            copy(value, target)
        else:
            target[:] = value

    def _run(self) -> None:
        """Compute and copy the outputs, in the slot."""
        for source, own in self._fed.values():
            copy(source, own)
        for index, output in enumerate(self._inner.forward()):
            if output.shape != self.outputs[index].shape:
                self.outputs[index] = copy_to(output, mx.cpu())
            else:
                copy(output, self.outputs[index])

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:  # noqa: ARG002 - mxnet's signature
        """Refuse: inference only."""
        raise mx.MXNetError(f"backward(): {_INFERENCE_ONLY}")

    def reshape(self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Any) -> NeuronExecutor:
        """Create an executor for other input shapes on the same NeuronCores. It shares all arrays; one that is smaller
        has the first numbers of the old, and one that is larger is new, as in mxnet."""
        slot = self._model.slot or self._model.pick()
        shapes = {name: shape for name, shape in kwargs.items() if name in self._inner.arg_dict}
        reshape = functools.partial(self._inner.reshape, partial_shaping, allow_up_sizing, **shapes)
        inner = self._device.run(slot.uncounted(), reshape)
        own = {**inner.arg_dict, **inner.aux_dict}
        kept = {name: array for name, array in self.arg_dict.items() if name not in own}
        for name, (array, _own) in self._fed.items():
            if own[name].size <= array.size:
                kept[name] = array.reshape((-1,))[: own[name].size].reshape(own[name].shape)
        return NeuronExecutor(self._symbol, self._ctx, inner, self._model, kept)

    def debug_str(self) -> str:
        """Describe the graph that mxnet computes."""
        return str(self._inner.debug_str())

    def set_monitor_callback(self, callback: Callable[..., Any], monitor_all: bool = False) -> None:
        """Let ``callback`` see the values of the graph that mxnet computes."""
        self._inner.set_monitor_callback(callback, monitor_all)

    def get_optimized_symbol(self) -> Any:
        """Return the graph that mxnet computes."""
        return self._inner.get_optimized_symbol()


def wrap_bind(bind: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Symbol.bind``."""

    @functools.wraps(bind)
    def hooked(
        self: Any,
        ctx: Any,
        args: Any,
        args_grad: Any = None,
        grad_req: Any = "write",
        aux_states: Any = None,
        group2ctx: Any = None,
        shared_exec: Any = None,
    ) -> Any:
        if not _is_ours(self, ctx):
            return bind(self, ctx, args, args_grad, grad_req, aux_states, group2ctx, shared_exec)
        refuse_gradients(ctx, grad_req, args_grad)
        names, states = self.list_arguments(), self.list_auxiliary_states()
        if isinstance(args, dict) and isinstance(self, CompiledSymbol):
            specs = unsaid(self._own, args)
            args = {**{name: mx.nd.zeros(shape, dtype=dtype) for name, (shape, dtype) in specs.items()}, **args}
        arrays = dict(zip(names, self._get_ndarray_inputs("args", args, names, False)[1]))  # noqa: FBT003
        aux = dict(zip(states, self._get_ndarray_inputs("aux_states", aux_states or [], states, False)[1]))  # noqa: FBT003
        verify(self, {**arrays, **aux})
        graph = graph_of(self)
        held = graph.weights | graph.tables
        plain = _plain(self)
        taken = {name: arrays[name] for name in plain.list_arguments()}
        with _placed(self, ctx) as model:
            device = Device.of(model.pick())
            on_cpu = [{name: _on_cpu(array) for name, array in some.items()} for some in (taken, aux)]
            joined = _joined(bind(plain, mx.cpu(), on_cpu[0], None, "null", on_cpu[1]))

            def bound() -> Any:
                own, own_aux = (
                    {name: copy_to(array, device.context) for name, array in some.items()} for some in (taken, aux)
                )
                return bind(joined, device.context, own, None, "null", own_aux)

            inner = device.run(model.pick().uncounted(), bound)
            fed = {name: array for name, array in arrays.items() if name not in held}
            return NeuronExecutor(self, ctx, inner, model, fed)

    return hooked


def wrap_simple_bind(simple_bind: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Symbol.simple_bind``."""

    @functools.wraps(simple_bind)
    def hooked(
        self: Any,
        ctx: Any,
        grad_req: Any = "write",
        type_dict: Any = None,
        stype_dict: Any = None,
        group2ctx: Any = None,
        shared_arg_names: Any = None,
        shared_exec: Any = None,
        shared_buffer: Any = None,
        **kwargs: Any,
    ) -> Any:
        if not _is_ours(self, ctx):
            _refuse_sharing(shared_exec, shared_buffer)
            return simple_bind(
                self, ctx, grad_req, type_dict, stype_dict, group2ctx, shared_arg_names, shared_exec, shared_buffer,
                **kwargs,
            )  # fmt: skip
        refuse_gradients(ctx, grad_req)
        binaries = self.binaries() if isinstance(self, CompiledSymbol) else {}
        others = {name: kwargs[name] for name in kwargs if name not in binaries}
        types = {name: type_dict[name] for name in type_dict or () if name not in binaries}
        with _placed(self, ctx) as model:
            device = Device.of(model.pick())
            # Without a buffer mxnet shares nothing.
            shared = _Shared(self, shared_exec, shared_arg_names, device) if shared_buffer is not None else None
            graph = _joined(simple_bind(_plain(self), mx.cpu(), "null", types or None, stype_dict, **others))
            bound = functools.partial(
                simple_bind, graph, device.context, "null", types or None, stype_dict, None,
                *(shared.near if shared is not None else ()), **others,
            )  # fmt: skip
            inner = device.run(model.pick().uncounted(), bound)
            zeros = {name: mx.nd.zeros(kwargs.get(name, shape), mx.cpu(), "uint8") for name, shape in binaries.items()}
            fed = shared.fed(inner) if shared is not None else {}
            return NeuronExecutor(self, ctx, inner, model, {**zeros, **fed})

    return hooked


class _Shared:
    """What an executor of ``symbol`` shares with ``shared_exec``: the arguments in ``names``, and all auxiliary states.

    ``near``: the arguments of ``simple_bind`` for memory that both use, which takes executors of one device. Other
    arrays are copied before each run.
    """

    def __init__(self, symbol: Any, shared_exec: Any, names: Sequence[str] | None, device: Device) -> None:
        self._arrays: dict[str, Any] = {}
        self.near: tuple[Any, ...] = ()
        if shared_exec is None:
            return
        arguments, binaries = shared_exec.arg_dict, symbol.binaries() if isinstance(symbol, CompiledSymbol) else {}
        own = [name for name in symbol.list_arguments() if name in set(names or ()) and name not in binaries]
        for name in own:
            if name not in arguments:
                raise mx.MXNetError(f"simple_bind: shared_exec has no argument {name}, which is to be shared.")
            self._arrays[name] = arguments[name]
        states = shared_exec.aux_dict
        self._arrays.update({name: states[name] for name in symbol.list_auxiliary_states() if name in states})
        if isinstance(shared_exec, NeuronExecutor) and shared_exec._device is device and not shared_exec.fed(own):
            self.near = own, shared_exec._inner, {}

    def fed(self, inner: Any) -> dict[str, Any]:
        """Return the arrays that ``inner`` has no memory in common with. Raises MXNetError for another shape or
        dtype."""
        if self.near:
            return {}
        own = {**inner.arg_dict, **inner.aux_dict}
        for name, array in self._arrays.items():
            if (array.shape, array.dtype) != (own[name].shape, own[name].dtype):
                raise mx.MXNetError(
                    f"simple_bind: {name} of shared_exec is {array.dtype.__name__} of shape {array.shape}, and "
                    f"{own[name].dtype.__name__} of shape {own[name].shape} follows from the inputs."
                )
        return self._arrays


def _refuse_sharing(shared_exec: Any, shared_buffer: Any) -> None:
    """Raise MXNetError where an executor on a CPU shall share memory with one on NeuronCores: mxnet's own takes arrays
    of its context only."""
    if isinstance(shared_exec, NeuronExecutor) and shared_buffer is not None:
        raise mx.MXNetError(
            "simple_bind on a CPU cannot share memory with an executor on NeuronCores: bind both on NeuronCores, or "
            "the first on the CPU and this one on NeuronCores."
        )


def wrap_eval(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Symbol.eval``, which asks for gradients that NeuronCores do not have."""

    @functools.wraps(evaluate)
    def hooked(self: Any, ctx: Any = None, **kwargs: Any) -> Any:
        context = mx.current_context() if ctx is None else ctx
        if not _is_ours(self, context):
            return evaluate(self, ctx, **kwargs)
        return self.bind(context, kwargs, grad_req="null").forward()

    return hooked


def refuse_training(what: str) -> None:
    """Raise MXNetError where autograd records, or operators are to act as in training."""
    if mx.autograd.is_recording() or mx.autograd.is_training():
        raise mx.MXNetError(f"{what} under autograd.record(): {_INFERENCE_ONLY}")


def refuse_gradients(ctx: Any, grad_req: Any, args_grad: Any = None) -> None:
    """Raise MXNetError where gradients are asked for on NeuronCores. A compiled graph on a CPU may leave MXNet's
    default, which few change; ``backward`` says it."""
    wrong = gradient_of(grad_req)
    if args_grad or (wrong is not None and isinstance(ctx, NeuronContext)):
        raise mx.MXNetError(f"grad_req={wrong!r} on {ctx!r}: {_INFERENCE_ONLY} Pass grad_req='null'.")


def name_of(symbol: Any) -> tuple[str, str]:
    """Return the name that a graph is shown by, and its file."""
    file = symbol._own._source if isinstance(symbol, CompiledSymbol) else ""
    return os.path.basename(file) or symbol.name or "symbol", file


@contextlib.contextmanager
def _placed(symbol: Any, ctx: Any) -> Iterator[Model]:
    """Place a model for a graph; release it where the block raises (SPEC P4)."""
    name, file = name_of(symbol)
    cores = pipeline_cores(symbol._own._analysis().compiled) if isinstance(symbol, CompiledSymbol) else 1
    model = place(name, cores, place_of(ctx), file)
    try:
        yield model
    except BaseException:
        model.release()
        raise


def _is_ours(symbol: Any, ctx: Any) -> bool:
    """Whether the runtime places it. Raises MXNetError for a compiled graph on a GPU, as without mxnet."""
    if isinstance(symbol, CompiledSymbol) and ctx.device_type == "gpu":
        raise mx.MXNetError(f"{ctx} has no NeuronCores: bind what was compiled on mx.neuron(0), or mx.cpu().")
    return isinstance(ctx, NeuronContext) or isinstance(symbol, CompiledSymbol)


def _plain(symbol: Any) -> Any:
    """Return the original graph."""
    return symbol.inlined() if isinstance(symbol, CompiledSymbol) else symbol


def _joined(executor: Any) -> Any:
    """Return the graph with operators joined as mxnet joins them on ``cpu(0)``, and nowhere else: so results are the
    same bits (SPEC K2)."""
    return executor.get_optimized_symbol()


def _on_cpu(array: Any) -> Any:
    """Return the array, copied where it is another executor's."""
    return array if array.context == mx.cpu() else copy_to(array, mx.cpu())


def _blank(output: Any) -> Any:
    """Create an array for an output. Where its shape follows from values, as of boolean_mask, the run makes another."""
    try:
        shape = output.shape
    except mx.MXNetError:  # mxnet does not know it yet
        shape = (1,)
    return mx.nd.empty(shape, mx.cpu(), output.dtype)
