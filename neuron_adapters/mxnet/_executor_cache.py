"""A graph bound for each kind of input that it meets, all in one place: what ``Module`` and ``gluon`` stand on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._alignment import aligned
from neuron_adapters.mxnet._backend import backend
from neuron_adapters.mxnet._shared_weights import _Loaded
from neuron_adapters.mxnet._subgraphs import pipeline_cores
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_rt import CoreRange, Model, Place, PlainFramework, init

if TYPE_CHECKING:
    from neuron_adapters.mxnet.symbol import Symbol

#: What a graph is fed: a shape and a dtype for each input by name.
Kind = tuple[tuple[str, tuple[int, ...], np.dtype[Any]], ...]
#: Kinds of input for which executors are kept; the first one always is, since it says where the others go.
_MOST_KINDS = 16


class Bound:
    """A graph with its weights in a context. ``model``: the runtime's model, None where it is not placed."""

    def __init__(self, symbol: Symbol, context: Context) -> None:
        """Takes its place at once, so that what does not fit is an error here."""
        context.require_memory()
        self._symbol = symbol
        self._context = context
        self._executors: dict[Kind, Executor] = {}
        self.model: Model | None = None
        compiled = symbol._analysis().compiled
        if context.device_type == "neuron" or compiled:
            self.model = backend().new_model(symbol.name or "symbol", pipeline_cores(compiled))
            backend().place(self.model, context)

    def executor(self, kind: Kind, params: Mapping[str, NDArray]) -> Executor:
        """The executor for inputs of that kind. ``params``: weights and auxiliary states, the same ones every time.

        Raises MXNetValueError where shapes do not go together, ModelNotLoadedError where the place was given back.
        """
        model = self.model
        if model is not None and not model.slots:  # unloaded, or inherited by a forked child
            self._executors.clear()
            model.pick()
        found = self._executors.get(kind)
        if found is not None:
            return found
        found = self._executors[kind] = self._next(kind, params) if self._executors else self._first(kind, params)
        return found

    def _first(self, kind: Kind, params: Mapping[str, NDArray]) -> Executor:
        """The executor that takes over the place."""
        model = self.model
        if model is None:
            return self._bind(kind, params)
        model.release()
        try:
            made = self._bind(kind, params)
        except BaseException:
            backend().place(model, self._context)
            raise
        self.model = made._model
        return made

    def _next(self, kind: Kind, params: Mapping[str, NDArray]) -> Executor:
        """One more executor in the same place, perhaps instead of an old one."""
        made = self._bind(kind, params)
        if self.model is not None and made._model.placement != self.model.placement:
            init().place(made._model, Place(self.model.placement[0].start_nc))
        if len(self._executors) >= _MOST_KINDS:
            del self._executors[list(self._executors)[1]]
        return made

    def release(self, why: str) -> None:
        """Free the place."""
        for one in [self.model, *(executor._model for executor in self._executors.values())]:
            if one is not None:
                one.release(why)

    def _bind(self, kind: Kind, params: Mapping[str, NDArray]) -> Executor:
        symbol = self._symbol
        arguments = symbol.list_arguments()
        fed = {name: (shape, dtype) for name, shape, dtype in kind}
        given = {name: params[name].shape for name in arguments if name in params}
        shapes = symbol.infer_shape(**given, **{name: shape for name, (shape, _dtype) in fed.items()})[0]
        if shapes is None:
            raise MXNetValueError(f"the shapes of all arguments do not follow from those of {', '.join(fed)}.")
        types = symbol.infer_type(**{name: dtype for name, (_shape, dtype) in fed.items()})[0]
        args = {
            # What is neither fed nor a weight is zeros: a label, or a state.
            name: params[name]
            if name in params
            else NDArray(aligned(shape, fed.get(name, (shape, np.dtype(dtype)))[1]))
            for name, shape, dtype in zip(arguments, shapes, types)
        }
        made: Executor = symbol.bind(self._context, args, grad_req="null", aux_states=dict(params))
        return made


class Models(Model):
    """What ``neuron_adapters.placement`` and ``unload`` see of several graphs: a model with a replica for each."""

    def __init__(self, bounds: Sequence[Bound]) -> None:
        super().__init__("", 1, PlainFramework(), kind="mx")
        self._bounds = bounds

    @property
    def placement(self) -> tuple[CoreRange, ...]:
        """One CoreRange a graph that is placed."""
        return tuple(one for bound in self._bounds if bound.model is not None for one in bound.model.placement)

    def release(self, why: str = "it was unloaded; load it again") -> None:
        """Free the places of all."""
        for bound in self._bounds:
            bound.release(why)


def kind_of(arrays: Mapping[str, Any]) -> Kind:
    """What ``arrays``, by name, are."""
    return tuple((name, one.shape, np.dtype(one.dtype)) for name, one in arrays.items())


def copies(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Arrays of their own, with the same content. Of what is as its file has it no memory is copied (SPEC K5)."""
    loaded: dict[Any, list[NDArray]] = {}
    made = {}
    for name, one in arrays.items():
        memory = one._memory
        if isinstance(memory, _Loaded) and memory.is_whole(one._array):
            if memory.source not in loaded:
                loaded[memory.source] = memory.source.arrays()
            made[name] = loaded[memory.source][memory.number]
        else:
            made[name] = one.copy()
    return made


class Team:
    """Threads that run jobs at the same time, beside the calling one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, jobs: list[Any]) -> list[Any]:
        """The results of ``jobs``, callables, which are taken out of the list: nothing of theirs outlives the call."""
        if self._size < 2:
            return [_take(jobs, 0)]
        pool = self._pool
        if pool is None or self._process != os.getpid():  # a forked child has none of its parent's threads
            pool = self._pool = ThreadPoolExecutor(self._size - 1, thread_name_prefix="neuron Module")
            self._process = os.getpid()
        others = [_begin(pool, jobs, number) for number in range(1, len(jobs))]
        try:
            results = [_take(jobs, 0)]
            while others:  # no name for one of them: an error's frames would keep it, and it its frames
                results.append(others.pop(0).result())
            return results
        finally:
            while others:  # another one failed
                others.pop().exception()


def _begin(pool: ThreadPoolExecutor, jobs: list[Any], number: int) -> Future[Any]:
    try:
        return pool.submit(_take, jobs, number)
    except RuntimeError:  # the interpreter, on its way out, starts no thread any more
        done: Future[Any] = Future()
        done.set_result(_take(jobs, number))
        return done


def _take(jobs: list[Any], number: int) -> Any:
    job, jobs[number] = jobs[number], None
    return job()
