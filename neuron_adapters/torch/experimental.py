"""Explicit placement (SPEC R1): the core placement functions of torch_neuron and torch_neuronx, as documented there.

Indexes count the NCs that this process sees. ``-1`` leaves the choice to the runtime: the least used NCs, or exactly as
many as the model needs.
"""

from __future__ import annotations

import logging

import torch
import torch.export

from neuron_adapters.adapter.placed import model_of
from neuron_adapters.torch._artifact import read
from neuron_adapters.torch._context import checked_place, multicore_context, neuron_cores_context, visible_cores
from neuron_adapters.torch._placed import new_model, wrap
from neuron_rt import init

log = logging.getLogger("neuron_adapters")

__all__ = ["multicore_context", "neuron_cores_context", "set_multicore", "set_neuron_cores"]


def set_neuron_cores(
    trace: torch.nn.Module | torch.export.ExportedProgram, start_nc: int = -1, nc_count: int = -1
) -> None:
    """Move a loaded model to ``nc_count`` NCs from ``start_nc``; as many replicas as fit there share its calls.

    Works on a program of torch.export, and on a module that holds loaded models; then it moves each. To a module that
    holds none nothing happens, which is logged. Raises ValueError for an index or a count that this process does not
    have, RuntimeError where the runtime can't start or the model does not fit; then the model stays where it was.
    """
    where = checked_place(start_nc, nc_count)
    parts = trace.modules() if isinstance(trace, torch.nn.Module) else [trace]
    if not isinstance(trace, (torch.nn.Module, torch.export.ExportedProgram)):
        raise TypeError(f"set_neuron_cores() takes a loaded torch module, got {type(trace).__name__}")
    models = [model for module in parts if (model := model_of(module)) is not None]
    if not models:
        if not isinstance(trace, torch.jit.ScriptModule):
            log.warning(
                "set_neuron_cores() does nothing to a %s that holds no compiled or loaded model: trace() it first",
                type(trace).__name__,
            )
            return
        _artifact, cores = read(trace)
        model = new_model(trace, cores)
        init().place(model, where)
        wrap(trace, model)
        return
    for model in models:
        init().place(model, where)


def set_multicore(trace: torch.nn.Module | torch.export.ExportedProgram) -> None:
    """Replicate a loaded model over all visible NCs; calls go round robin. Raises as ``set_neuron_cores`` does."""
    set_neuron_cores(trace, 0, visible_cores())
