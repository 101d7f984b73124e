"""``.params`` files of MXNet 1.x: the one reader of their structure, and MXNet's numbers for dtypes.

All of it is little-endian. A head of magic, reserved word and number of arrays; the arrays, each in one of four forms
that MXNet wrote over the years; the number of names, and the names. The caller of the
reader decides for each array whether to read its data or to skip them.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

__all__ = ["BFLOAT16", "DTYPES", "MAGIC", "V2", "V3", "DamagedError", "Head", "Reader", "SparseError"]

T = TypeVar("T")

MAGIC = 0x112
_V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_STORAGE = {1: "row_sparse", 2: "csr"}
#: NumPy's names of the dtypes by MXNet's numbers.
DTYPES = (
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64",
)  # fmt: skip
#: The number of a dtype that NumPy lacks. Its values are float32 without the lower half.
BFLOAT16 = 12
_SIZES = (4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2)
#: What NumPy 1 can hold.
_MOST_DIMENSIONS = 32
#: Arrays of a file: one without data takes 4 bytes there and 300 in memory.
_MOST_ARRAYS = 1 << 18


class DamagedError(ValueError):
    """The file is damaged. The text says what was expected, where, and what was found."""

    def __init__(self, expected: str, got: str, at: int) -> None:
        super().__init__(f"expected {expected} at byte {at}, got {got}")
        self.at = at


class SparseError(ValueError):
    """The file holds a sparse array."""


@dataclass(frozen=True)
class Head:
    """What is said of an array before its data. ``shape``: None where there is no array. ``number``: of its dtype.
    ``at``, ``size``: the place of its data and their bytes."""

    shape: tuple[int, ...] | None
    number: int
    at: int
    size: int

    @property
    def dtype(self) -> str:
        """The name of its dtype."""
        return "bfloat16" if self.number == BFLOAT16 else DTYPES[self.number]


class Reader:
    """Reads a file from its beginning to its end. No length is accepted that exceeds the file (SPEC F2)."""

    def __init__(self, file: BinaryIO, size: int, *, longest_name: int | None = None, decoding: str = "strict") -> None:
        """``size``: the bytes of the file. ``longest_name``: bytes of a name, as many as there are by default.
        ``decoding``: what becomes of names that are not UTF-8, as of ``bytes.decode``."""
        self._file = file
        self._size = size
        self._longest_name = size if longest_name is None else longest_name
        self._decoding = decoding
        self._at = 0

    def read(self, take: Callable[[Head], T]) -> tuple[list[T], list[str]]:
        """Read all arrays and their names; a list has no names. ``take`` makes the result for an array, and calls
        ``fill`` or ``skip`` for its data. Bytes after the names are ignored, as MXNet does.

        Raises DamagedError and SparseError.
        """
        magic, _reserved, count = self._unpack("<3Q", "the head of a .params file")
        if magic != MAGIC:
            raise DamagedError(f"a .params file begins with {MAGIC:#x}", f"{magic:#x}", 0)
        self._require(4 * count, f"{count} arrays")
        if count > _MOST_ARRAYS:
            raise DamagedError(f"at most {_MOST_ARRAYS} arrays", str(count), 16)
        arrays = [take(self._read_head()) for _ in range(count)]
        (named,) = self._unpack("<Q", "the number of names")
        if named not in (0, count):
            raise DamagedError(f"0 or {count} names", str(named), self._at - 8)
        return arrays, [self._read_name() for _ in range(named)]

    def fill(self, memory: memoryview) -> None:
        """Read the next bytes into ``memory``."""
        while memory:
            got = self._file.readinto(memory)  # type: ignore[attr-defined]
            if not got:
                raise DamagedError(f"{self._size} bytes, as when the file was opened", "the end of the file", self._at)
            self._at += got
            memory = memory[got:]

    def skip(self, length: int) -> None:
        """Step over the next bytes."""
        self._file.seek(length, os.SEEK_CUR)
        self._at += length

    def _read_name(self) -> str:
        (length,) = self._unpack("<Q", "the length of a name")
        self._require(length, "a name")
        if length > self._longest_name:
            raise DamagedError(f"a name of at most {self._longest_name} bytes", str(length), self._at - 8)
        start = self._at
        name = bytes(self._read(length, "a name"))
        try:
            return name.decode(errors=self._decoding)
        except UnicodeDecodeError:
            raise DamagedError("a name in UTF-8", repr(name[:40]), start) from None

    def _read_head(self) -> Head:
        start = self._at
        shape = self._read_shape()
        if shape is None:
            return Head(None, 0, self._at, 0)
        if min(shape, default=0) < 0:
            raise DamagedError("a shape", str(shape), start)
        _device, _index, number = self._unpack("<3i", "the dtype of an array")
        if not 0 <= number <= BFLOAT16:
            raise DamagedError(f"a dtype from 0 to {BFLOAT16}", str(number), self._at - 4)
        head = Head(shape, number, self._at, _SIZES[number] * math.prod(shape))
        self._require(head.size, f"an array of {' x '.join(map(str, shape)) or 'one number'} of {head.dtype}")
        if _SIZES[number] * math.prod(length or 1 for length in shape) >= 2**62:
            # Nothing to read, and more than NumPy can count.
            raise DamagedError("a shape", str(shape), self._at)
        return head

    def _read_shape(self) -> tuple[int, ...] | None:
        """None where there is no array."""
        start = self._at
        (first,) = self._unpack("<I", "an array")
        if first not in (_V1, V2, V3):
            # The first form has no magic: this is the number of dimensions already.
            return self._read_lengths(first, "I", start) or None
        if first == _V1:
            return self._read_lengths(self._unpack("<I", "the dimensions of an array")[0], "q", start) or None
        (storage,) = self._unpack("<i", "the storage of an array")
        if storage in _STORAGE:
            raise SparseError(
                f"the array at byte {start} is sparse ({_STORAGE[storage]}), which is not supported. "
                "Make it dense where it was saved: array.tostype('default')."
            )
        if storage:
            raise DamagedError("a storage from 0 to 2", str(storage), self._at - 4)
        (dimensions,) = self._unpack("<i", "the dimensions of an array")
        if first == V3:
            return None if dimensions == -1 else self._read_lengths(dimensions, "q", start)
        return self._read_lengths(dimensions, "q", start) or None

    def _read_lengths(self, dimensions: int, form: str, start: int) -> tuple[int, ...]:
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise DamagedError(f"an array of at most {_MOST_DIMENSIONS} dimensions", str(dimensions), start)
        return self._unpack(f"<{dimensions}{form}", "the shape of an array")

    def _unpack(self, form: str, what: str) -> tuple[int, ...]:
        return struct.unpack(form, self._read(struct.calcsize(form), what))

    def _read(self, length: int, what: str) -> bytearray:
        self._require(length, what)
        data = bytearray(length)
        self.fill(memoryview(data))
        return data

    def _require(self, length: int, what: str) -> None:
        if length > self._size - self._at:
            raise DamagedError(f"{what} ({length} bytes)", f"{self._size - self._at} bytes to the end", self._at)
