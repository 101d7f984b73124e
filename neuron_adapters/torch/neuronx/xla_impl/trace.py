"""torch_neuronx.xla_impl.trace."""

from __future__ import annotations

import os
import warnings
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
    *more: Any,
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
    """Compile ``func`` for NeuronCores: see ``torch.neuron.trace``. Output structures are kept, dictionaries too.

    ``more``: a work directory, compiler flags or aliases by position, which are told apart by their types, with a
    warning. ``inline_weights_to_neff=False``: ``torch_neuronx.replace_weights`` can replace the weights.
    ``partitioner_config``: compiler flags and a work directory among its ``trace_kwargs`` count where there are no
    others.
    """
    named: dict[str, Any] = {
        "input_output_aliases": input_output_aliases,
        "compiler_workdir": compiler_workdir,
        "compiler_args": compiler_args,
    }
    named.update(_told_apart(more, {name for name, value in named.items() if value is not None}))
    for name, value in (getattr(partitioner_config, "trace_kwargs", None) or {}).items():
        if named.get(name, value) is None:
            named[name] = value
    if named.pop("input_output_aliases"):
        raise CompileError("input_output_aliases keeps state on the device between calls, which is not emulated.")
    if partitioner_config is not None:
        say_once("partitioner_config", "the whole graph runs on the NeuronCore's CPUs, as one piece")
    traced: torch.jit.ScriptModule = _compile.trace(
        func,
        example_inputs,
        **named,
        separate_weights=not inline_weights_to_neff,
        example_kwarg_inputs=example_kwarg_inputs,
        strict=strict,
        **kwargs,
    )
    return traced


def _told_apart(values: Sequence[Any], taken: set[str]) -> dict[str, Any]:
    """Arguments by position, by the names that their types tell. Raises TypeError where they tell none, or one that is
    ``taken``."""
    named: dict[str, Any] = {}
    for value in values:
        if value is None:
            continue
        if isinstance(value, dict):
            name = "input_output_aliases"
        elif isinstance(value, (list, tuple)) or (isinstance(value, str) and value.lstrip().startswith("-")):
            name = "compiler_args"
        elif isinstance(value, (str, os.PathLike)):
            name = "compiler_workdir"
        else:
            raise TypeError(f"trace() takes func and example_inputs by position; pass {value!r:.80} by its name")
        if name in named or name in taken:
            raise TypeError(f"trace() got {name} twice, and {value!r:.80} by position: pass it by its name")
        named[name] = value
    if named:
        names = " and ".join(named)
        warnings.warn(f"trace() takes {names} by name; what came by position is taken for that", stacklevel=3)
    return named
