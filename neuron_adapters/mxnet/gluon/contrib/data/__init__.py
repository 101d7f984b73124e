"""``mx.gluon.contrib.data``."""

from __future__ import annotations

from typing import NoReturn

from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.gluon.contrib.data import sampler
from neuron_adapters.mxnet.gluon.contrib.data.sampler import IntervalSampler

__all__ = ["IntervalSampler", "sampler"]


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    refuse_missing(f"mx.gluon.contrib.data.{name}", "nothing is downloaded here; read the text yourself")
