"""torch_neuronx's names where they exist: ``import neuron_adapters.torch.neuronx as torch_neuronx``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch

from neuron_adapters.adapter.flags import say_once
from neuron_adapters.adapter.versions import TORCH_NEURONX
from neuron_adapters.torch import _compile, experimental
from neuron_adapters.torch._parallel import DataParallel
from neuron_adapters.torch.experimental import (
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)
from neuron_rt import CompileError

__all__ = [
    "DataParallel", "PartitionerConfig", "__version__", "analyze", "async_load", "dynamic_batch", "experimental",
    "lazy_load", "move_trace_to_device", "multicore_context", "neuron_cores_context", "replace_weights",
    "set_multicore", "set_neuron_cores", "trace",
]  # fmt: skip

__version__ = TORCH_NEURONX


class PartitionerConfig:
    """Takes any keywords for ``trace(partitioner_config=...)``: nothing is partitioned here."""

    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)


def trace(
    func: torch.nn.Module | Callable[..., Any],
    example_inputs: Any,
    *_: Any,
    input_output_aliases: dict[Any, int] | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    compiler_args: Sequence[str] | str | None = None,
    partitioner_config: Any = None,
    inline_weights_to_neff: bool = True,
    cpu_backend: bool = False,  # noqa: ARG001 - it is a CPU either way
) -> torch.jit.ScriptModule:
    """Compile ``func`` for NeuronCores: see ``torch.neuron.trace``. Output structures are kept, dictionaries too."""
    if input_output_aliases:
        raise CompileError("input_output_aliases keeps state on the device between calls, which is not emulated.")
    if partitioner_config is not None:
        say_once("partitioner_config", "the whole graph runs on the NeuronCore's CPUs, as one piece")
    if not inline_weights_to_neff:
        say_once("inline_weights_to_neff", "the weights stay in the file, and loads of one file share them")
    traced: torch.jit.ScriptModule = _compile.trace(
        func, example_inputs, compiler_args=compiler_args, compiler_workdir=compiler_workdir, strict=False
    )
    return traced


def analyze(func: Any, example_inputs: Any, compiler_workdir: Any = None, **_kwargs: Any) -> dict[str, Any]:
    """Which operators a NeuronCore runs: see ``torch.neuron.analyze_model``."""
    return _compile.analyze_model(func, example_inputs, compiler_workdir)


def dynamic_batch(neuron_script: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Let dimension 0 of a compiled module vary. Raises CompileError where it has no common batch."""
    return _compile.with_dynamic_batch(neuron_script)


def async_load(trace: torch.jit.ScriptModule, enable_async_load: bool = True) -> None:
    """Accepted: an emulated NeuronCore is loaded as soon as the file is read."""


def lazy_load(trace: torch.jit.ScriptModule, enable_lazy_load: bool = True) -> None:
    """Accepted: what was traced is placed at its first call anyway."""


def move_trace_to_device(trace: torch.jit.ScriptModule, device_id: int) -> None:
    """Move a model to the NCs from ``device_id``. Raises as ``experimental.set_neuron_cores`` does."""
    experimental.set_neuron_cores(trace, device_id, -1)


def replace_weights(model: torch.jit.ScriptModule, weights: Any) -> None:
    """Refused: raises CompileError."""
    del model, weights
    raise CompileError(
        "replace_weights() is not emulated: a compiled model's weights are part of its graph here, as they are with "
        "inline_weights_to_neff=True. Load the new weights into the original model and call trace() again."
    )
