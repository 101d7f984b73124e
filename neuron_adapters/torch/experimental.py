"""Explicit placement (SPEC R1): the core placement functions of torch_neuron and torch_neuronx, as documented there.

Indexes count the NCs that this process sees. ``-1`` leaves the choice to the runtime: the least used NCs, or exactly as
many as the model needs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch

from neuron_adapters.adapter.placement_rules import within_context
from neuron_rt import Place, init

__all__ = ["multicore_context", "neuron_cores_context", "set_multicore", "set_neuron_cores"]

_place: ContextVar[tuple[int, int] | None] = ContextVar("neuron_cores", default=None)
_default: tuple[int, int] = (-1, -1)


def set_neuron_cores(trace: torch.nn.Module, start_nc: int = -1, nc_count: int = -1) -> None:
    """Move a loaded model to ``nc_count`` NCs from ``start_nc``; as many replicas as fit there share its calls.

    Works on a module that holds loaded models too, and then moves each. Raises ValueError for an index or a count that
    this process does not have, RuntimeError where the runtime can't start or the model does not fit; then the model
    stays where it was.
    """
    from neuron_adapters.adapter.placed import model_of
    from neuron_adapters.torch._placed import new_model, wrap

    where = _checked(start_nc, nc_count)
    if not isinstance(trace, torch.nn.Module):
        raise TypeError(f"set_neuron_cores() takes a loaded torch module, got {type(trace).__name__}")
    models = [model for one in trace.modules() if (model := model_of(one)) is not None]
    if not models:
        if not isinstance(trace, torch.jit.ScriptModule):
            raise ValueError("set_neuron_cores() takes a loaded model, and this module holds none: torch.jit.load it")
        model, _artifact = new_model(trace, "")
        init().place(model, where)
        wrap(trace, model)
        return
    for model in models:
        init().place(model, where)


def set_multicore(trace: torch.nn.Module) -> None:
    """Replicate a loaded model over all visible NCs; calls go round robin. Raises as ``set_neuron_cores`` does."""
    set_neuron_cores(trace, 0, _visible())


@contextlib.contextmanager
def neuron_cores_context(start_nc: int = -1, nc_count: int = -1) -> Iterator[None]:
    """Models loaded or traced inside go to ``nc_count`` NCs from ``start_nc``, in as many replicas as fit there.

    Holds for the thread that opened it. Raises ValueError and RuntimeError as ``set_neuron_cores`` does, on entry.
    """
    _checked(start_nc, nc_count)
    token = _place.set((start_nc, nc_count))
    try:
        yield
    finally:
        _place.reset(token)


@contextlib.contextmanager
def multicore_context() -> Iterator[None]:
    """Models loaded or traced inside are replicated over all visible NCs. Raises as ``neuron_cores_context`` does."""
    with neuron_cores_context(0, _visible()):
        yield


def current_place() -> Place:
    """Where a load in this thread should go."""
    start, count = _place.get() or _default
    return Place(None if start < 0 else start, None if count < 0 else count)


def default_neuron_cores() -> tuple[int, int]:
    """(start, count) of ``torch.classes.neuron.Runtime()``: the innermost context, else the process's default."""
    return _place.get() or _default


def set_default_neuron_cores(start_nc: int, nc_count: int) -> None:
    """Set the process's default, which contexts override."""
    global _default
    _checked(start_nc, nc_count)
    _default = (start_nc, nc_count)


def _visible() -> int:
    return len(init().instance_ncs)


def _checked(start_nc: int, nc_count: int) -> Place:
    for name, value in (("start_nc", start_nc), ("nc_count", nc_count)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is a number of NeuronCores, got {value!r}")
    return within_context(start_nc, nc_count, _visible())
