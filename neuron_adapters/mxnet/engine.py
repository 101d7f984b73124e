"""``mx.engine``: how many operations MXNet's engine takes at once, which changes nothing here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from neuron_adapters.mxnet._training import Missing, missing_names

__all__ = ["bulk", "set_bulk_size"]

__getattr__: Missing = missing_names("mx.engine")

_size = 15


def set_bulk_size(size: int) -> int:
    """Take a number; return the one before."""
    global _size
    before, _size = _size, size
    return before


@contextlib.contextmanager
def bulk(size: int) -> Iterator[None]:
    """Take a number for what is inside."""
    before = set_bulk_size(size)
    try:
        yield
    finally:
        set_bulk_size(before)
