"""Module on NeuronCores: it binds its executors itself; here is what it is as a whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from neuron_adapters.adapter.placed import remember
from neuron_adapters.mx._real.executor import NeuronExecutor
from neuron_rt import Model

__all__ = ["wrap_bind", "wrap_forward"]


def wrap_bind(bind: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Module.bind``, so that the module is known to be where its executors are (SPEC P7)."""

    @functools.wraps(bind)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = bind(self, *args, **kwargs)
        models = [executor._model for executor in self._exec_group.execs if isinstance(executor, NeuronExecutor)]
        if models:
            remember(self, models[0] if len(models) == 1 else _ModuleModel(models))
        return result

    return hooked


def wrap_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``DataParallelExecutorGroup.forward``: executors on NeuronCores wait for their results, so each of them runs
    in a thread (SPEC P5)."""

    @functools.wraps(forward)
    def hooked(self: Any, data_batch: Any, is_train: Any = None) -> Any:
        execs = self.execs
        if len(execs) < 2 or not isinstance(execs[0], NeuronExecutor):
            return forward(self, data_batch, is_train)
        self.execs = [_ParallelExecutors(execs)]
        try:
            return forward(self, data_batch, is_train)
        finally:
            self.execs = execs

    return hooked


class _ParallelExecutors:
    """Several executors as one that runs them at once."""

    def __init__(self, execs: Sequence[Any]) -> None:
        self._execs = execs

    def forward(self, is_train: bool = False) -> None:
        with ThreadPoolExecutor(len(self._execs)) as pool:
            for running in [pool.submit(executor.forward, is_train=is_train) for executor in self._execs]:
                running.result()


class _ModuleModel(Model):
    """The models of a Module on several contexts, as one."""

    def __init__(self, models: Sequence[Model]) -> None:
        super().__init__(models[0].name, models[0].nc_count, models[0].framework, kind=models[0].kind)
        self._models = models

    @property
    def placement(self) -> tuple[Any, ...]:
        """One CoreRange an executor."""
        return tuple(place for model in self._models for place in model.placement)

    def release(self, why: str = "it was unloaded; bind it again") -> None:
        """Free all their places."""
        for model in self._models:
            model.release(why)
