"""Automatic mixed precision, which this package refuses: compiling with ``--fp32-cast`` computes in lower precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetError

__all__ = [
    "convert_bucketing_module", "convert_hybrid_block", "convert_model", "convert_symbol", "init", "init_trainer",
    "scale_loss", "unscale",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.contrib.amp.amp")


def _refused(name: str, why: str) -> Callable[..., NoReturn]:
    def call(*_args: Any, **_keywords: Any) -> NoReturn:
        raise MXNetError(f"amp.{name}(): {why}")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Refuse: {why}"
    return call


_TRAINING = "this package infers only. Train with MXNet itself."
_CONVERTING = (
    "this package does not convert graphs to mixed precision. Convert with MXNet itself, or compile with "
    "mx.contrib.neuron.compile(..., flags=['--fp32-cast', 'matmult-bf16'])."
)
init: Callable[..., NoReturn] = _refused("init", _TRAINING)
init_trainer: Callable[..., NoReturn] = _refused("init_trainer", _TRAINING)
scale_loss: Callable[..., NoReturn] = _refused("scale_loss", _TRAINING)
unscale: Callable[..., NoReturn] = _refused("unscale", _TRAINING)
convert_symbol: Callable[..., NoReturn] = _refused("convert_symbol", _CONVERTING)
convert_model: Callable[..., NoReturn] = _refused("convert_model", _CONVERTING)
convert_hybrid_block: Callable[..., NoReturn] = _refused("convert_hybrid_block", _CONVERTING)
convert_bucketing_module: Callable[..., NoReturn] = _refused("convert_bucketing_module", _CONVERTING)
