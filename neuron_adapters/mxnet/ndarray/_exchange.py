"""Arrays given to other libraries, and taken from them, by DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuron_adapters.mxnet.ndarray._array import NDArray

__all__ = ["from_dlpack", "to_dlpack_for_read", "to_dlpack_for_write"]


class _Capsule:
    """A capsule as an object that NumPy takes it from."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_how: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def from_dlpack(dlpack: Any) -> NDArray:
    """Copy what a DLPack capsule, or an object that gives one, holds: whoever made it may write to it unseen."""
    source = dlpack if hasattr(dlpack, "__dlpack__") else _Capsule(dlpack)
    return NDArray(np.array(np.from_dlpack(source), order="C"))


def to_dlpack_for_read(data: NDArray) -> Any:
    """Return a DLPack capsule of a copy."""
    return data.to_dlpack_for_read()


def to_dlpack_for_write(data: NDArray) -> Any:
    """Return a DLPack capsule of the memory itself."""
    return data.to_dlpack_for_write()
