"""Files of weights that several loads share (SPEC K5): one copy in memory, mapped for each load copy-on-write.

Writing to the arrays of one load leaves the others as they are. Arrays that were never written to are the same memory
in all loads, and executors over them share what the engine makes of them.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np

from neuron_adapters.adapter.executable import Shared, identity
from neuron_adapters.mxnet import _params
from neuron_adapters.mxnet._alignment import ALIGNMENT, address
from neuron_adapters.mxnet.ndarray._array import NDArray
from neuron_adapters.mxnet.ndarray._memory import Counter
from neuron_rt import guarded

Array = np.ndarray[Any, Any]

#: Smallest file that is shared.
SMALLEST_SHARED = 1 << 20

_shared_files: Shared[SharedFile] = Shared()


class SharedFile:
    """The arrays of a file, in memory of the process that no file system can take away while it is mapped."""

    def __init__(self, arrays: Sequence[Array], names: list[str]) -> None:
        self.names = names
        self._places: list[tuple[int, tuple[int, ...], np.dtype[Any]]] = []
        end = 0
        for array in arrays:
            self._places.append((end, array.shape, array.dtype))
            end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
        self._file = guarded(os.close, partial(os.memfd_create, "neuron_adapters.mx", os.MFD_CLOEXEC))
        os.ftruncate(self._file.args[0], max(end, 1))
        self._map = mmap.mmap(self._file.args[0], max(end, 1), mmap.MAP_SHARED)
        for (start, _shape, _dtype), array in zip(self._places, arrays):
            self._map[start : start + array.nbytes] = array.reshape(-1).view(np.uint8).data

    def arrays(self) -> list[NDArray]:
        """Create arrays over a new private, writable mapping of the file."""
        own = mmap.mmap(self._file.args[0], len(self._map), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        loaded = []
        for number, (start, shape, dtype) in enumerate(self._places):
            count = int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(own, dtype, count, start).reshape(shape) if count else np.empty(shape, dtype)
            loaded.append(NDArray(array, memory=LoadedMemory(self, number, array)))
        return loaded

    def content(self, number: int) -> memoryview:
        """An array as it was loaded."""
        start, shape, dtype = self._places[number]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return memoryview(self._map)[start : start + size].toreadonly()


class LoadedMemory(Counter):
    """Counts the writes to an array of a shared file."""

    __slots__ = ("_extent", "number", "source")

    def __init__(self, source: SharedFile, number: int, array: Array) -> None:
        super().__init__()
        self.source = source
        self.number = number
        self._extent = _extent(array)

    def is_whole(self, array: Array) -> bool:
        """Whether ``array`` is all of it, and as it was loaded."""
        return not self.value and _extent(array) == self._extent


def load(path: str | os.PathLike[str]) -> tuple[list[NDArray], list[str]]:
    """Load a ``.params`` file: its arrays and their names, as ``_params.load`` reads them."""
    if os.path.getsize(path) < SMALLEST_SHARED or not hasattr(os, "memfd_create"):
        arrays, names = _params.load(path)
        return [NDArray(array) for array in arrays], names
    source = _shared_files.of(identity(path), lambda: SharedFile(*_params.load(path)))
    return source.arrays(), list(source.names)


def key_of(arrays: Sequence[NDArray]) -> Hashable | None:
    """Return the identity of a set of loaded arrays; None where one of them was written to, or not loaded."""
    key = []
    for array in arrays:
        memory = array._memory
        if not isinstance(memory, LoadedMemory) or not memory.is_whole(array._array):
            return None
        key.append((memory.source, memory.number))
    return tuple(key)


def content(array: NDArray) -> memoryview:
    """The memory of ``array``; of an array that was never written to, the shared memory of its file."""
    memory, own = array._memory, array._array
    if isinstance(memory, LoadedMemory) and memory.is_whole(own):
        return memory.source.content(memory.number)
    return own.reshape(-1).view(np.uint8).data if own.nbytes else memoryview(b"")


def _extent(array: Array) -> tuple[int, int]:
    return address(array), array.nbytes
