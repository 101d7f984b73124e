"""``mx.ndarray.ndarray``, where scripts of MXNet find the class."""

from __future__ import annotations

from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.ndarray._create import (
    arange,
    array,
    concatenate,
    empty,
    from_numpy,
    full,
    ones,
    waitall,
    zeros,
)

__all__ = ["NDArray", "arange", "array", "concatenate", "empty", "from_numpy", "full", "ones", "waitall", "zeros"]
