"""Memory aligned as the engine reads and writes best."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError

#: Addresses are multiples of so many bytes.
ALIGNMENT = 64


def address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Create zeros in aligned memory. Raises MXNetError for more than the machine's memory: a damaged file may ask for
    anything, and the kernel would promise it."""
    size = math.prod(shape) * dtype.itemsize
    if size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise MXNetError(f"An array of shape {tuple(shape)} takes {size >> 20} MiB, more than the machine has.")
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)
