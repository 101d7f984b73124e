"""``mx.contrib.amp``, where scripts of MXNet find automatic mixed precision."""

from __future__ import annotations

from neuron_adapters.mx.contrib.amp import amp
from neuron_adapters.mx.contrib.amp.amp import (
    convert_bucketing_module,
    convert_hybrid_block,
    convert_model,
    convert_symbol,
    init,
    init_trainer,
    scale_loss,
    unscale,
)
from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = [
    "amp", "convert_bucketing_module", "convert_hybrid_block", "convert_model", "convert_symbol", "init",
    "init_trainer", "scale_loss", "unscale",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.contrib.amp")
