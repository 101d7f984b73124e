"""Calls of a graph with parameters: an executor for each signature of the inputs, in one place (SPEC P3)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mxnet._executor_cache import ExecutorCache, Models, signature_of
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context, current_context
from neuron_adapters.mxnet.gluon.parameter import Parameter, replaced
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

if TYPE_CHECKING:
    from neuron_adapters.mxnet.numpy_form._form import Watch


class GraphCall:
    """``graph`` from ``inputs``, names of variables of it, and ``params``, which are all the others.

    The parameters' context is where it runs: ``mx.neuron(i)`` places it at its first call.
    """

    def __init__(self, graph: Symbol, inputs: Sequence[str], params: Mapping[str, Parameter]) -> None:
        self._graph = graph
        self._params = params
        arguments = set(graph.list_arguments())
        self._fed = [name for name in inputs if name in arguments]
        self._inputs = list(inputs)
        self._caches: dict[Context, ExecutorCache] = {}
        self._arrays: dict[str, NDArray] = {}
        self._contexts: list[Context] = []
        self._seen = -1
        self._guard = threading.RLock()  # a signal handler may call what its own thread is calling

    def __call__(self, block: object, inputs: Sequence[NDArray], watch: Watch | None = None) -> list[NDArray]:
        """Return new arrays. ``block``: what ``neuron_adapters.placement`` is asked about. ``watch`` sees every
        operator. Raises MXNetError where a
        parameter has no array."""
        fed = dict(zip(self._inputs, inputs))
        with self._guard:
            if self._seen != replaced.value:
                self._look()
            context = self._context(inputs[0].context)
            cache = self._caches.get(context)
            if cache is None:
                cache = self._caches[context] = ExecutorCache(self._graph, context)
                remember(block, Models(list(self._caches.values())))
            known = {name: fed[name] for name in self._fed}
            executor = cache.executor(signature_of(known), self._arrays)
        kind = type(inputs[0])  # an array of mx.np gives arrays of mx.np
        return [kind(array, inputs[0].context) for array in executor.copied(known, watch)]

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
        self._arrays, self._seen = arrays, seen

    def _context(self, of_input: Context) -> Context:
        if not self._contexts:
            return current_context()
        return of_input if of_input in self._contexts else self._contexts[0]
