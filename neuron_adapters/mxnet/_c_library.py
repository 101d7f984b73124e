"""What scripts import from ``mx.base`` to call MXNet's C library: types, which are ctypes'; calls are refused."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NoReturn

from neuron_adapters.mxnet._training import refuse_missing

__all__ = [
    "_LIB", "CachedOpHandle", "CudaKernelHandle", "CudaModuleHandle", "DataIterCreatorHandle", "DataIterHandle",
    "ExecutorHandle", "FunctionHandle", "KVStoreHandle", "NDArrayHandle", "OpHandle", "RecordIOHandle", "SymbolHandle",
    "c_array", "c_str", "c_str_array", "check_call", "mx_float", "mx_int", "mx_int64", "mx_uint",
]  # fmt: skip

mx_int, mx_uint, mx_int64, mx_float = ctypes.c_int, ctypes.c_uint, ctypes.c_int64, ctypes.c_float
NDArrayHandle = SymbolHandle = ExecutorHandle = OpHandle = CachedOpHandle = FunctionHandle = ctypes.c_void_p
DataIterHandle = DataIterCreatorHandle = KVStoreHandle = RecordIOHandle = ctypes.c_void_p
CudaKernelHandle = CudaModuleHandle = ctypes.c_void_p


def c_str(string: str) -> ctypes.c_char_p:
    """Return a string of C."""
    return ctypes.c_char_p(string.encode("utf-8"))


def c_array(ctype: Any, values: Sequence[Any]) -> Any:
    """Return an array of C."""
    return (ctype * len(values))(*values)


def c_str_array(strings: Sequence[str]) -> Any:
    """Return an array of strings of C."""
    return c_array(ctypes.c_char_p, [string.encode("utf-8") for string in strings])


class _Library:
    """``mx.base._LIB``, whose functions are all refused."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(f"mx.base._LIB has no attribute {name!r}")
        refuse_missing(f"mx.base._LIB.{name}", "there is no C library of MXNet's here")


def check_call(ret: int) -> None:
    """Raise MXNetError for the result of a function of the C library: there are no such functions."""
    refuse_missing(f"mx.base.check_call({ret})", "there is no C library of MXNet's here")


_LIB = _Library()
