"""``mx.contrib``: mx_neuron's compiler, the reader of ONNX files, and the operators that MXNet has there."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neuron_adapters.mx.contrib import neuron, onnx
from neuron_adapters.mxnet import ndarray as _ndarray
from neuron_adapters.mxnet import symbol as _symbol
from neuron_adapters.mxnet._training import refuse_missing, refuse_name

__all__ = ["nd", "ndarray", "neuron", "onnx", "sym", "symbol"]

nd = ndarray = _ndarray.contrib
sym = symbol = _symbol.contrib

_TRAINING = ("autograd", "svrg_optimization", "tensorboard")


def __getattr__(name: str) -> Any:
    if name in _TRAINING:
        refuse_name(f"mx.contrib.{name}")
    if name in ("amp", "io", "quantization", "text"):
        return import_module(f"{__name__}.{name}")
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return refuse_missing(f"mx.contrib.{name}")
