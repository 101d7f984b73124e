"""``mx.gluon.contrib``: more layers."""

from __future__ import annotations

from typing import NoReturn

from neuron_adapters.mxnet._training import refuse_missing, refuse_name
from neuron_adapters.mxnet.gluon.contrib import cnn, data, nn, rnn

__all__ = ["cnn", "data", "nn", "rnn"]


def __getattr__(name: str) -> NoReturn:
    if name == "estimator":
        refuse_name("mx.gluon.contrib.estimator")
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    refuse_missing(f"mx.gluon.contrib.{name}")
