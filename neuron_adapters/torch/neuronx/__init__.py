"""torch_neuronx's names where they exist: ``import neuron_adapters.torch.neuronx as torch_neuronx``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from neuron_adapters.adapter.versions import TORCH_NEURONX
from neuron_adapters.torch import _analysis, _compile, _placed
from neuron_adapters.torch.neuronx import experimental, xla_impl
from neuron_adapters.torch.neuronx._buckets import BucketModelConfig, bucket_model_trace
from neuron_adapters.torch.neuronx.experimental import (
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)
from neuron_adapters.torch.neuronx.xla_impl.data_parallel import DataParallel
from neuron_adapters.torch.neuronx.xla_impl.trace import trace

__all__ = [
    "BucketModelConfig", "DataParallel", "PartitionerConfig", "__version__", "analyze", "async_load",
    "bucket_model_trace", "dynamic_batch", "experimental", "lazy_load", "move_trace_to_device", "multicore_context",
    "neuron_cores_context", "replace_weights", "set_multicore", "set_neuron_cores", "trace", "xla_impl",
]  # fmt: skip

__version__ = TORCH_NEURONX


class PartitionerConfig:
    """Settings for ``trace(partitioner_config=...)``. Nothing is partitioned here; of ``trace_kwargs``,
    ``compiler_args`` and ``compiler_workdir`` count."""

    def __init__(self, *, trace_kwargs: Mapping[str, Any] | None = None, **settings: Any) -> None:
        self.trace_kwargs: dict[str, Any] = dict(trace_kwargs or {})
        self.__dict__.update(settings)


def analyze(
    func: torch.nn.Module | Callable[..., Any],
    example_inputs: Any,
    compiler_workdir: str | os.PathLike[str] | None = None,
    *,
    additional_ignored_ops: Collection[str] | None = None,
    max_workers: int = 4,  # noqa: ARG001 - nothing is compiled
    is_hf_transformers: bool = False,  # noqa: ARG001
    cleanup: bool = False,  # noqa: ARG001
) -> dict[str, Any]:
    """Say which operators of ``func`` a NeuronCore runs: all of them. A dictionary for ``json.dumps``:
    ``torch_neuronx_version``, ``neuronx_cc_version``, ``support_percentage`` ("100.00%"), ``supported_operators`` (how
    often each comes) without ``additional_ignored_ops``, and ``unsupported_operators``, which is empty."""
    return _analysis.analyze(func, example_inputs, compiler_workdir, additional_ignored_ops=additional_ignored_ops)


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


def replace_weights(
    neuron_model: torch.jit.ScriptModule | DataParallel, weights: torch.nn.Module | Mapping[str, torch.Tensor]
) -> None:
    """Give a model that was compiled with ``inline_weights_to_neff=False`` other weights: those of a module of the
    class that was compiled, or its state dict. They are copied. DataParallel around the model takes them too.

    Warns, and changes nothing, where the model was compiled with its weights. Raises CompileError where a weight is
    missing or has another shape or dtype; then the model keeps all that it had.
    """
    module = neuron_model.module if isinstance(neuron_model, DataParallel) else neuron_model
    state = weights.state_dict() if isinstance(weights, torch.nn.Module) else weights
    if not isinstance(state, Mapping):
        raise TypeError(f"replace_weights() takes a module or its state dict as weights, got {type(weights).__name__}")
    if not isinstance(module, torch.jit.ScriptModule):
        raise TypeError(f"replace_weights() takes a compiled model, got {type(neuron_model).__name__}")
    if not _placed.replace_weights(module, state):
        warnings.warn(
            "replace_weights() changes nothing: the model has no separate weights. Compile it with "
            "torch_neuronx.trace(..., inline_weights_to_neff=False)",
            UserWarning,
            stacklevel=2,
        )
