"""Counts writes, so that a graph can tell whether its weights changed without reading them."""

from __future__ import annotations


class Counter:
    """Counts the writes to some memory. It goes up after each write, so a reader of the number sees what it counts."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int = 0


#: Counts the writes to all arrays of the process: while it stays the same, no array changes.
writes = Counter()
