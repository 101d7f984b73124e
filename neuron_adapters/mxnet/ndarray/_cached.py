"""A graph called as a function of arrays: ``mx.nd.CachedOp(symbol)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray

if TYPE_CHECKING:
    from neuron_adapters.mxnet._executor_cache import ExecutorCache
    from neuron_adapters.mxnet.symbol import Symbol


class CachedOp:
    """A function of all inputs of a graph, in the order of ``symbol.list_inputs()``. It runs where its first input is.
    Each combination of shapes and dtypes is prepared once."""

    def __init__(self, sym: Symbol, flags: Any = (), thread_safe: bool = False) -> None:  # noqa: ARG002 - MXNet's
        self._symbol = sym
        self._names = sym.list_inputs()
        self._caches: dict[Context, ExecutorCache] = {}

    def __call__(self, *args: NDArray, out: Any = None) -> Any:
        """Compute the outputs: new arrays, one or a list, or ``out``. Raises MXNetValueError for another number of
        inputs, TypeError for what is no NDArray."""
        from neuron_adapters.mxnet._executor_cache import ExecutorCache, signature_of
        from neuron_adapters.mxnet.ndarray._invoke import _delivered

        if len(args) != len(self._names):
            raise MXNetValueError(
                f"CachedOp takes {len(self._names)} arrays ({', '.join(self._names)}), got {len(args)}."
            )
        if not all(isinstance(array, NDArray) for array in args):
            raise TypeError(f"CachedOp takes NDArrays, got {', '.join(type(array).__name__ for array in args)}")
        context = args[0].context
        cache = self._caches.get(context)
        if cache is None:
            cache = self._caches[context] = ExecutorCache(self._symbol, context)
        arrays = dict(zip(self._names, args))
        states = self._symbol.list_auxiliary_states()
        held = {name: arrays[name].copy() for name in states}
        executor = cache.executor(signature_of(arrays), held)
        for name in states:
            executor.aux_dict[name][:] = arrays[name]
        results = executor.copied({name: arrays[name] for name in executor.arg_dict})
        return _delivered(results, out, context, type(args[0]))
