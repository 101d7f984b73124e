"""Executors of one graph, one for each signature of inputs, in one place: ``Module`` and ``gluon`` call these."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet._alignment import aligned
from neuron_adapters.mxnet._backend import backend
from neuron_adapters.mxnet._subgraphs import pipeline_cores
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.executor import Executor
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._shared_weights import LoadedMemory
from neuron_rt import CoreRange, Model, PlacementRequest, PlainFramework, init

if TYPE_CHECKING:
    from neuron_adapters.mxnet.symbol import Symbol

#: Name, shape and dtype of each input.
InputSignature = tuple[tuple[str, tuple[int, ...], np.dtype[Any]], ...]
#: Executors that are kept. The first one always is: the others are placed where it is.
_MOST_SIGNATURES = 16


class ExecutorCache:
    """A graph with its weights in a context. ``model``: the runtime's model, None where it is not placed."""

    def __init__(self, symbol: Symbol, context: Context) -> None:
        """Places the graph at once, so that a graph that does not fit is an error here."""
        context.require_memory()
        self._symbol = symbol
        self._context = context
        self._executors: dict[InputSignature, Executor] = {}
        self.model: Model | None = None
        compiled = symbol._analysis().compiled
        if context.device_type == "neuron" or compiled:
            self.model = backend().new_model(symbol.name or "symbol", pipeline_cores(compiled))
            backend().place(self.model, context)

    def executor(self, signature: InputSignature, params: Mapping[str, NDArray]) -> Executor:
        """Return the executor for such inputs. ``params``: weights and auxiliary states, the same ones every time.

        Raises MXNetValueError where shapes contradict, ModelNotLoadedError where the place was given back.
        """
        model = self.model
        if model is not None and not model.slots:  # unloaded, or inherited by a forked child
            self._executors.clear()
            model.pick()
        executor = self._executors.get(signature)
        if executor is not None:
            return executor
        bind = self._next if self._executors else self._first
        executor = self._executors[signature] = bind(signature, params)
        return executor

    def _first(self, signature: InputSignature, params: Mapping[str, NDArray]) -> Executor:
        """Bind the first executor, which takes over the place."""
        model = self.model
        if model is None:
            return self._bind(signature, params)
        model.release()
        try:
            executor = self._bind(signature, params)
        except BaseException:
            backend().place(model, self._context)
            raise
        self.model = executor._model
        return executor

    def _next(self, signature: InputSignature, params: Mapping[str, NDArray]) -> Executor:
        """Bind another executor in the same place. Where there are too many, drop the oldest except the first."""
        executor = self._bind(signature, params)
        executor._watch = next(reversed(self._executors.values()))._watch  # who watches, watches all shapes
        if self.model is not None and executor._model.placement != self.model.placement:
            init().place(executor._model, PlacementRequest(self.model.placement[0].start_nc))
        if len(self._executors) >= _MOST_SIGNATURES:
            del self._executors[list(self._executors)[1]]
        return executor

    def release(self, why: str) -> None:
        """Free the place."""
        for model in [self.model, *(executor._model for executor in self._executors.values())]:
            if model is not None:
                model.release(why)

    def _bind(self, signature: InputSignature, params: Mapping[str, NDArray]) -> Executor:
        symbol = self._symbol
        arguments = symbol.list_arguments()
        fed = {name: (shape, dtype) for name, shape, dtype in signature}
        known = {name: params[name].shape for name in arguments if name in params}
        known.update((name, shape) for name, (shape, _dtype) in fed.items())
        if all(name in known for name in arguments):  # also where an array has no axes, or no elements
            shapes = [known[name] for name in arguments]
        else:
            shapes = symbol.infer_shape(**known)[0]
        if shapes is None:
            raise MXNetValueError(f"the shapes of all arguments do not follow from those of {', '.join(fed)}.")
        types = symbol._full_types({name: dtype for name, (_shape, dtype) in fed.items()})[0]
        args = {
            # What is neither fed nor a weight is zeros: a label, or a state.
            name: params[name]
            if name in params
            else NDArray(aligned(shape, fed.get(name, (shape, np.dtype(dtype)))[1]))
            for name, shape, dtype in zip(arguments, shapes, types)
        }
        executor: Executor = symbol.bind(self._context, args, grad_req="null", aux_states=dict(params))
        return executor


class Models(Model):
    """Shows several graphs to ``neuron_adapters.placement`` and ``unload`` as one model with a replica for each."""

    def __init__(self, caches: Sequence[ExecutorCache]) -> None:
        super().__init__("", 1, PlainFramework(), kind="mx")
        self._caches = caches

    @property
    def placement(self) -> tuple[CoreRange, ...]:
        """A CoreRange for each graph that is placed."""
        return tuple(
            core_range for cache in self._caches if cache.model is not None for core_range in cache.model.placement
        )

    def release(self, why: str = "it was unloaded; load it again") -> None:
        """Free the places of all."""
        for cache in self._caches:
            cache.release(why)


def signature_of(arrays: Mapping[str, Any]) -> InputSignature:
    """Return the signature of ``arrays``, by name."""
    return tuple((name, array.shape, np.dtype(array.dtype)) for name, array in arrays.items())


def copies(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Copy arrays so that they can be written to. An array that still is as its file has it shares the file's memory
    (SPEC K5)."""
    loaded: dict[Any, list[NDArray]] = {}
    copied = {}
    for name, array in arrays.items():
        memory = array._memory
        if isinstance(memory, LoadedMemory) and memory.is_whole(array._array):
            if memory.source not in loaded:
                loaded[memory.source] = memory.source.arrays()
            copied[name] = loaded[memory.source][memory.number]
        else:
            copied[name] = array.copy()
    return copied


class Workers:
    """Runs jobs at the same time: the calling thread takes one, threads of a pool take the others."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, jobs: list[Any]) -> list[Any]:
        """Return the results of ``jobs``, callables, which are taken out of the list: nothing of theirs outlives the
        call."""
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
