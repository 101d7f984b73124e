"""``mx.io.utils``: data of an iterator by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.io.io import Sources, _named
from neuron_adapters.mxnet.ndarray import NDArray, array

__all__: list[str] = []

__getattr__: Missing = missing_names("mx.io.utils")


def _init_data(data: Sources, allow_empty: bool, default_name: str) -> list[tuple[str, NDArray]]:
    """Return arrays with their names. Raises MXNetValueError where there are none, unless ``allow_empty``."""
    from neuron_adapters.mxnet.base import MXNetValueError

    named: list[tuple[str, np.ndarray[Any, Any]]] = _named(data, default_name)
    if not named and not allow_empty:
        raise MXNetValueError("there is no data.")
    return [(name, array(rows)) for name, rows in named]
