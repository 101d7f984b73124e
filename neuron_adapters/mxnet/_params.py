"""``.params`` files: NumPy arrays, with or without names, as Apache MXNet 1.x writes and reads them to the byte.

Every byte is read once, into memory of at most five times its size; the arrays are counted, since one without data is
larger in memory (SPEC F2).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from neuron_adapters.files.mxnet_params import BFLOAT16, DTYPES, MAGIC, V2, V3, DamagedError, Head, Reader, SparseError
from neuron_adapters.mxnet.base import FormatError, MXNetValueError

Array = np.ndarray[Any, Any]


def load(path: str | os.PathLike[str]) -> tuple[list[Array], list[str]]:
    """The arrays of a file and their names; no names where it holds a list.

    Each array has memory of its own and may be written to. bfloat16 comes as float32. What a file says of lengths is
    believed as far as it is long; nothing is mapped, so it may be replaced meanwhile. What follows the names is
    ignored, as MXNet does. Raises FormatError for a damaged file, and for sparse arrays.
    """
    with open(path, "rb") as file:
        return _read(file, os.fspath(path), os.fstat(file.fileno()).st_size)


def loads(data: bytes | bytearray | memoryview, source: str = "buffer") -> tuple[list[Array], list[str]]:
    """Load from the bytes of a file; ``source`` is what errors call it."""
    return _read(io.BytesIO(data), source, len(data))


def save(path: str | os.PathLike[str], arrays: Sequence[Array], names: Sequence[str] = ()) -> None:
    """Write ``arrays``. Raises MXNetValueError, before anything is written, for a dtype that such files do not have."""
    heads = [_head_of(array) for array in arrays]
    with open(path, "wb") as file:
        file.write(struct.pack("<3Q", MAGIC, 0, len(arrays)))
        for head, array in zip(heads, arrays):
            file.write(head)
            file.write(np.ascontiguousarray(array).data if array.size else b"")
        file.write(struct.pack("<Q", len(names)))
        for name in names:
            text = name.encode()
            file.write(struct.pack("<Q", len(text)) + text)


def _head_of(array: Array) -> bytes:
    if array.dtype.name not in DTYPES:
        raise MXNetValueError(f".params files cannot hold {array.dtype}. Cast it to one of {', '.join(DTYPES)}.")
    # For V2 a dimension of 0 is one not known yet, and no dimensions are no array. V3 is the form of NumPy semantics.
    version = V2 if array.size and array.ndim else V3
    shape = struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
    # The context is cpu(0), whatever it was: 1, 0.
    return struct.pack("<Ii", version, 0) + shape + struct.pack("<3i", 1, 0, DTYPES.index(array.dtype.name))


def _read(file: BinaryIO, source: str, size: int) -> tuple[list[Array], list[str]]:
    reader = Reader(file, size)
    try:
        return reader.read(lambda head: _filled(reader, head))
    except SparseError as error:
        raise FormatError(f"{source}: {error}") from None
    except DamagedError as error:
        raise FormatError(f"{source} is not an intact .params file: {error}.", path=source, offset=error.at) from None


def _filled(reader: Reader, head: Head) -> Array:
    """Read the array whose data come next."""
    if head.shape is None:
        return np.empty(0, np.float32)
    dtype = np.dtype("uint16" if head.number == BFLOAT16 else head.dtype)
    array = np.empty(head.shape, np.uint8 if dtype == np.bool_ else dtype)
    if head.size:
        reader.fill(array.reshape(-1).view(np.uint8).data)
    if head.number == BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array != 0 if dtype == np.bool_ else array


def as_file(record: bytes | bytearray) -> bytes:
    """Return the bytes of a file that holds one array, of the bytes that MXNet pickles for it."""
    return struct.pack("<3Q", MAGIC, 0, 1) + bytes(record) + struct.pack("<Q", 0)
