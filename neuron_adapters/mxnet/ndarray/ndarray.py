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
from neuron_adapters.mxnet.ndarray._elementwise import onehot_encode
from neuron_adapters.mxnet.ndarray._exchange import from_dlpack, to_dlpack_for_read, to_dlpack_for_write

#: Python's, beside which MXNet has an operator of that name.
py_slice = slice

__all__ = [
    "NDArray", "arange", "array", "concatenate", "empty", "from_dlpack", "from_numpy", "full", "onehot_encode", "ones",
    "py_slice", "to_dlpack_for_read", "to_dlpack_for_write", "waitall", "zeros",
]  # fmt: skip
