"""Handles of arrays. MXNet gives one to a callback, and the callback makes an array of it:
``NDArray(ctypes.cast(array, NDArrayHandle), writable=False)``. Here callbacks get arrays, and the same lines work."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from neuron_adapters.mxnet.base import MXNetError

if TYPE_CHECKING:
    from neuron_adapters.mxnet.ndarray._array import NDArray

_arrays: WeakValueDictionary[int, NDArray] = WeakValueDictionary()


def handle_of(array: NDArray) -> ctypes.c_void_p:
    """Return a handle, which stands for the array while it exists."""
    _arrays[id(array)] = array
    return ctypes.c_void_p(id(array))


def array_of(handle: ctypes.c_void_p) -> NDArray:
    """Return the array of a handle. Raises MXNetError where there is none, or none any more."""
    array = _arrays.get(handle.value or 0)
    if array is None:
        raise MXNetError(f"{handle!r} is no handle of an array that exists: there is no C library of MXNet's here.")
    return array
