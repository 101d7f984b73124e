"""Memory where the engine reads and writes best."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.base import MXNetError

#: Bytes to which addresses are multiples.
ALIGNMENT = 64


def address(found: np.ndarray[Any, Any]) -> int:
    return int(found.__array_interface__["data"][0])


def aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Zeros where the engine likes them. Raises MXNetError for more than the machine's memory: a damaged file may ask
    for anything, and the kernel would promise it."""
    size = math.prod(shape) * dtype.itemsize
    if size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise MXNetError(f"An array of shape {tuple(shape)} takes {size >> 20} MiB, more than the machine has.")
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)
