"""``mx.ndarray.ndarray``, where scripts of MXNet find the class."""

from __future__ import annotations

import numpy as np

from neuron_adapters.mxnet._training import Elsewhere, names_of
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

#: Numbers of dtypes, storage types and requests for gradients, which scripts import from here.
_DTYPE_NP_TO_MX = {
    None: -1, np.float32: 0, np.float64: 1, np.float16: 2, np.uint8: 3, np.int32: 4, np.int8: 5, np.int64: 6,
    np.bool_: 7,
}  # fmt: skip
_DTYPE_MX_TO_NP = {number: dtype for dtype, number in _DTYPE_NP_TO_MX.items()}
_STORAGE_TYPE_STR_TO_ID = {"undefined": -1, "default": 0, "row_sparse": 1, "csr": 2}
_STORAGE_TYPE_ID_TO_STR = {number: name for name, number in _STORAGE_TYPE_STR_TO_ID.items()}
_GRAD_REQ_MAP = {"null": 0, "write": 1, "add": 3}

__all__ = [
    "NDArray", "arange", "array", "concatenate", "empty", "from_dlpack", "from_numpy", "full", "onehot_encode", "ones",
    "py_slice", "to_dlpack_for_read", "to_dlpack_for_write", "waitall", "zeros",
]  # fmt: skip

__getattr__: Elsewhere = names_of("neuron_adapters.mxnet.ndarray", "mx.nd.ndarray")
