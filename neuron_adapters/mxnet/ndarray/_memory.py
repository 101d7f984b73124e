"""Who has written to what, so that a graph can tell whether its weights changed without looking at them."""

from __future__ import annotations


class Counter:
    """A number that goes up at every write. Raised after the write: whoever reads a number sees all that it counts."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


#: Counts the writes to all arrays of the process. While it stands still, so do all of them.
writes = Counter()
