"""Checkpoints: ``PREFIX-symbol.json`` and ``PREFIX-0000.params``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from neuron_adapters.mxnet import ndarray, symbol
from neuron_adapters.mxnet._training import training_names
from neuron_adapters.mxnet.base import FormatError
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.symbol import Symbol

__all__ = ["load_checkpoint", "load_params", "save_checkpoint"]

Params = dict[str, NDArray]

_refuse = training_names("mx.model", "DataParallelExecutorManager")


def __getattr__(name: str) -> Any:
    if name == "FeedForward":
        return import_module("neuron_adapters.mxnet._feed_forward").FeedForward
    if name == "BatchEndParam":
        return import_module("neuron_adapters.mxnet.module.base_module").BatchEndParam
    return _refuse(name)


def save_checkpoint(
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    remove_amp_cast: bool = True,
) -> None:
    """Write the graph, where there is one, and the parameters of that epoch."""
    if symbol is not None:
        symbol.save(f"{prefix}-symbol.json", remove_amp_cast)
    save_arrays(f"{prefix}-{epoch:04d}.params", arg_params, aux_params)


def save_arrays(path: str, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray]) -> None:
    """Write the parameters as checkpoints have them: ``arg:NAME`` and ``aux:NAME``."""
    named = {f"arg:{name}": value for name, value in arg_params.items()}
    ndarray.save(path, {**named, **{f"aux:{name}": value for name, value in aux_params.items()}})


def load_params(prefix: str, epoch: int) -> tuple[Params, Params]:
    """Load arguments and auxiliary states, by name. Raises FormatError where the arrays have other names."""
    return load_arrays(f"{prefix}-{epoch:04d}.params")


def load_arrays(path: str) -> tuple[Params, Params]:
    """Load the parameters that ``save_arrays`` wrote."""
    loaded = ndarray.load(path)
    args: Params = {}
    aux: Params = {}
    for key, value in (
        loaded.items() if isinstance(loaded, dict) else ((str(at), array) for at, array in enumerate(loaded))
    ):
        kind, _, name = key.partition(":")
        if kind not in ("arg", "aux") or not name:
            raise FormatError(f"{path} is not a checkpoint: its arrays are called arg:NAME and aux:NAME, got {key!r}.")
        (args if kind == "arg" else aux)[name] = value
    return args, aux


def load_checkpoint(prefix: str, epoch: int) -> tuple[Symbol, Params, Params]:
    """Load a graph, its arguments and its auxiliary states."""
    return (symbol.load(f"{prefix}-symbol.json"), *load_params(prefix, epoch))
