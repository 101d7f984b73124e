"""Files of weights that several loads share (SPEC K5): one copy in memory, mapped for each load copy-on-write.

A load's arrays may be written to, and nobody else sees it. What was never written to is the same memory everywhere, and
executors over it share what the engine makes of it.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _params
from neuron_adapters.mxnet.ndarray import NDArray
from neuron_adapters.mxnet.ndarray._memory import Counter
from neuron_rt.undo import guarded

Array = np.ndarray[Any, Any]

#: Bytes from which on a file is worth it.
LARGE = 1 << 20
_ALIGNMENT = 64

_sources: weakref.WeakValueDictionary[tuple[int, ...], Source] = weakref.WeakValueDictionary()
_guard = threading.RLock()


class Source:
    """The arrays of a file, in memory of the process that no file system can take away while it is mapped."""

    def __init__(self, arrays: Sequence[Array], names: list[str]) -> None:
        self.names = names
        self._places: list[tuple[int, tuple[int, ...], np.dtype[Any]]] = []
        end = 0
        for array in arrays:
            self._places.append((end, array.shape, array.dtype))
            end += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        self._file = guarded(os.close, partial(os.memfd_create, "neuron_adapters.mx", os.MFD_CLOEXEC))
        os.ftruncate(self._file.args[0], max(end, 1))
        self._map = mmap.mmap(self._file.args[0], max(end, 1), mmap.MAP_SHARED)
        for (start, _shape, _dtype), array in zip(self._places, arrays):
            self._map[start : start + array.nbytes] = array.reshape(-1).view(np.uint8).data

    def arrays(self) -> list[NDArray]:
        """The arrays once more, to be written to by whoever has them."""
        own = mmap.mmap(self._file.args[0], len(self._map), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        made = []
        for number, (start, shape, dtype) in enumerate(self._places):
            count = int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(own, dtype, count, start).reshape(shape) if count else np.empty(shape, dtype)
            made.append(NDArray(array, memory=_Loaded(self, number, array)))
        return made

    def content(self, number: int) -> memoryview:
        """An array as it was loaded."""
        start, shape, dtype = self._places[number]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return memoryview(self._map)[start : start + size].toreadonly()


class _Loaded(Counter):
    """Counts the writes to an array of a source."""

    __slots__ = ("_extent", "number", "source")

    def __init__(self, source: Source, number: int, array: Array) -> None:
        super().__init__()
        self.source = source
        self.number = number
        self._extent = _extent(array)

    def is_whole(self, array: Array) -> bool:
        """Whether ``array`` is all of it, and as it was loaded."""
        return not self.value and _extent(array) == self._extent


def load(path: str | os.PathLike[str]) -> tuple[list[NDArray], list[str]]:
    """The arrays of a ``.params`` file and their names, as ``_params.load`` reads them."""
    found = os.stat(path)
    if found.st_size < LARGE or not hasattr(os, "memfd_create"):
        arrays, names = _params.load(path)
        return [NDArray(array) for array in arrays], names
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    with _guard:
        source = _sources.get(identity)
        if source is None:
            source = _sources[identity] = Source(*_params.load(path))
    return source.arrays(), list(source.names)


def key_of(arrays: Sequence[NDArray]) -> Hashable | None:
    """What tells one set of loaded arrays from another; None where one of them was written to, or not loaded."""
    key = []
    for one in arrays:
        memory = one._memory
        if not isinstance(memory, _Loaded) or not memory.is_whole(one._array):
            return None
        key.append((memory.source, memory.number))
    return tuple(key)


def content(array: NDArray) -> memoryview:
    """The memory of ``array``, where it is; of what was only loaded the part that nobody writes to."""
    memory, own = array._memory, array._array
    if isinstance(memory, _Loaded) and memory.is_whole(own):
        return memory.source.content(memory.number)
    return own.reshape(-1).view(np.uint8).data if own.nbytes else memoryview(b"")


def _extent(array: Array) -> tuple[int, int]:
    return int(array.__array_interface__["data"][0]), array.nbytes
