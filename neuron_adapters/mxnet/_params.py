"""``.params`` files: NumPy arrays, with or without names, as Apache MXNet 1.x writes and reads them to the byte.

Every byte is read once, into memory of at most five times its size; the arrays are counted, since one without data is
larger in memory (SPEC F2).

All of it is little-endian. A head of magic, reserved word and number of arrays; the arrays, each in one of four forms
that MXNet wrote over the years; the number of names, and the names.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from neuron_adapters.files.mxnet import MOST_ARRAYS
from neuron_adapters.mxnet.base import FormatError, MXNetValueError

Array = np.ndarray[Any, Any]

_LIST = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_STORAGE = {1: "row_sparse", 2: "csr"}
_DTYPES = (
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64",
)  # fmt: skip
#: NumPy has no such dtype. Its numbers are float32 ones that lack the lower half.
_BFLOAT16 = 12
#: What NumPy 1 can hold.
_MOST_DIMENSIONS = 32


def load(path: str | os.PathLike[str]) -> tuple[list[Array], list[str]]:
    """The arrays of a file and their names; no names where it holds a list.

    Each array has memory of its own and may be written to. bfloat16 comes as float32. What a file says of lengths is
    believed as far as it is long; nothing is mapped, so it may be replaced meanwhile. What follows the names is
    ignored, as MXNet does. Raises FormatError for a damaged file, and for sparse arrays.
    """
    with open(path, "rb") as file:
        return _Reader(file, os.fspath(path), os.fstat(file.fileno()).st_size).read_list()


def loads(data: bytes | bytearray | memoryview, source: str = "buffer") -> tuple[list[Array], list[str]]:
    """The same for the bytes of a file; ``source`` is what errors call it."""
    return _Reader(io.BytesIO(data), source, len(data)).read_list()


def save(path: str | os.PathLike[str], arrays: Sequence[Array], names: Sequence[str] = ()) -> None:
    """Write ``arrays``. Raises MXNetValueError, before anything is written, for a dtype that such files do not have."""
    heads = [_head_of(array) for array in arrays]
    with open(path, "wb") as file:
        file.write(struct.pack("<3Q", _LIST, 0, len(arrays)))
        for head, array in zip(heads, arrays):
            file.write(head)
            file.write(np.ascontiguousarray(array).data if array.size else b"")
        file.write(struct.pack("<Q", len(names)))
        for name in names:
            text = name.encode()
            file.write(struct.pack("<Q", len(text)) + text)


def _head_of(array: Array) -> bytes:
    if array.dtype.name not in _DTYPES:
        raise MXNetValueError(f".params files have no {array.dtype}. Cast it to one of {', '.join(_DTYPES)}.")
    # For V2 a dimension of 0 is one not known yet, and no dimensions are no array. V3 is the form of NumPy semantics.
    version = _V2 if array.size and array.ndim else _V3
    shape = struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
    # The context is cpu(0), whatever it was: 1, 0.
    return struct.pack("<Ii", version, 0) + shape + struct.pack("<3i", 1, 0, _DTYPES.index(array.dtype.name))


class _Reader:
    """Reads what is there, and knows where it is."""

    def __init__(self, file: BinaryIO, source: str, size: int) -> None:
        self._file, self._source, self._size, self._at = file, source, size, 0

    def read_list(self) -> tuple[list[Array], list[str]]:
        magic, _reserved, count = self._unpack("<3Q", "the head of a .params file")
        if magic != _LIST:
            raise self._damaged(f"a .params file begins with {_LIST:#x}", f"{magic:#x}", at=0)
        self._require(4 * count, f"{count} arrays")
        if count > MOST_ARRAYS:
            raise self._damaged(f"at most {MOST_ARRAYS} arrays", str(count), at=16)
        arrays = [self._read_array() for _ in range(count)]
        (named,) = self._unpack("<Q", "the number of names")
        if named not in (0, count):
            raise self._damaged(f"0 or {count} names", str(named), at=self._at - 8)
        return arrays, [self._read_name() for _ in range(named)]

    def _read_name(self) -> str:
        (length,) = self._unpack("<Q", "the length of a name")
        start = self._at
        text = bytes(self._read(length, "a name"))
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise self._damaged("a name in UTF-8", repr(text[:40]), at=start) from None

    def _read_array(self) -> Array:
        start = self._at
        shape = self._read_shape()
        if shape is None:
            return np.empty(0, np.float32)
        if any(length < 0 for length in shape):
            raise self._damaged("a shape", str(shape), at=start)
        _device, _index, number = self._unpack("<3i", "the dtype of an array")
        if not 0 <= number <= _BFLOAT16:
            raise self._damaged(f"a dtype from 0 to {_BFLOAT16}", str(number), at=self._at - 4)
        return self._read_data(shape, number)

    def _read_shape(self) -> tuple[int, ...] | None:
        """None where there is no array."""
        start = self._at
        (first,) = self._unpack("<I", "an array")
        if first not in (_V1, _V2, _V3):
            # The first form has no magic: this is the number of dimensions already.
            return self._read_lengths(first, "I", start) or None
        if first == _V1:
            return self._read_lengths(self._unpack("<I", "the dimensions of an array")[0], "q", start) or None
        (storage,) = self._unpack("<i", "the storage of an array")
        if storage in _STORAGE:
            raise FormatError(
                f"{self._source}: the array at byte {start} is sparse ({_STORAGE[storage]}), which is not supported. "
                "Make it dense where it was saved: array.tostype('default')."
            )
        if storage:
            raise self._damaged("a storage from 0 to 2", str(storage), at=self._at - 4)
        (dimensions,) = self._unpack("<i", "the dimensions of an array")
        if first == _V3:
            return None if dimensions == -1 else self._read_lengths(dimensions, "q", start)
        return self._read_lengths(dimensions, "q", start) or None

    def _read_lengths(self, dimensions: int, form: str, start: int) -> tuple[int, ...]:
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise self._damaged(f"an array of at most {_MOST_DIMENSIONS} dimensions", str(dimensions), at=start)
        return self._unpack(f"<{dimensions}{form}", "the shape of an array")

    def _read_data(self, shape: tuple[int, ...], number: int) -> Array:
        dtype = np.dtype("uint16" if number == _BFLOAT16 else _DTYPES[number])
        size = dtype.itemsize * math.prod(shape)
        self._require(size, f"an array of {' x '.join(map(str, shape)) or 'one number'} of {dtype}")
        if dtype.itemsize * math.prod(length or 1 for length in shape) >= 2**62:
            # Nothing to read, and more than NumPy can count.
            raise self._damaged("a shape", str(shape))
        array = np.empty(shape, np.uint8 if number == _DTYPES.index("bool") else dtype)
        if size:
            self._fill(array.reshape(-1).view(np.uint8).data)
        if number == _BFLOAT16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array != 0 if dtype == np.bool_ else array

    def _unpack(self, form: str, what: str) -> tuple[int, ...]:
        return struct.unpack(form, self._read(struct.calcsize(form), what))

    def _read(self, length: int, what: str) -> bytearray:
        self._require(length, what)
        data = bytearray(length)
        self._fill(memoryview(data))
        return data

    def _fill(self, memory: memoryview) -> None:
        while memory:
            got = self._file.readinto(memory)  # type: ignore[attr-defined]
            if not got:
                raise self._damaged("a file that stays while it is read", f"its end, {self._size} bytes were there")
            self._at += got
            memory = memory[got:]

    def _require(self, length: int, what: str) -> None:
        if length > self._size - self._at:
            raise self._damaged(f"{what} ({length} bytes)", f"{self._size - self._at} bytes to the end")

    def _damaged(self, expected: str, got: str, at: int | None = None) -> FormatError:
        where = self._at if at is None else at
        return FormatError(
            f"{self._source} is damaged, or no .params file: expected {expected} at byte {where}, got {got}.",
            path=self._source,
            offset=where,
        )
