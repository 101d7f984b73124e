"""torch_neuronx.xla_impl.trace."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from neuron_adapters.adapter.flags import say_once
from neuron_adapters.torch import _compile
from neuron_rt import CompileError

__all__ = ["trace"]


def trace(
    func: torch.nn.Module | Callable[..., Any],
    example_inputs: Any = None,
    *_: Any,
    input_output_aliases: dict[Any, int] | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    compiler_args: Sequence[str] | str | None = None,
    partitioner_config: Any = None,
    inline_weights_to_neff: bool = True,
    cpu_backend: bool = False,  # noqa: ARG001 - it is a CPU either way
    example_kwarg_inputs: Mapping[str, Any] | None = None,
    strict: bool = False,
    **kwargs: Any,
) -> torch.jit.ScriptModule:
    """Compile ``func`` for NeuronCores: see ``torch.neuron.trace``. Output structures are kept, dictionaries too."""
    if input_output_aliases:
        raise CompileError("input_output_aliases keeps state on the device between calls, which is not emulated.")
    if partitioner_config is not None:
        say_once("partitioner_config", "the whole graph runs on the NeuronCore's CPUs, as one piece")
    traced: torch.jit.ScriptModule = _compile.trace(
        func,
        example_inputs,
        compiler_args=compiler_args,
        compiler_workdir=compiler_workdir,
        separate_weights=not inline_weights_to_neff,
        example_kwarg_inputs=example_kwarg_inputs,
        strict=strict,
        **kwargs,
    )
    return traced
