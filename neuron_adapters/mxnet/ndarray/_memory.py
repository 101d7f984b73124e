"""Counts writes, so that a graph can tell whether its weights changed without reading them."""

from __future__ import annotations

from typing import Any


class Counter:
    """Counts the writes to some memory. It goes up after each write, so a reader of the number sees what it counts."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int = 0


_own: Any = vars(Counter)["value"]


class RestlessCounter(Counter):
    """Gives every reader another number: somebody writes unseen."""

    __slots__ = ()

    @property
    def value(self) -> int:
        """How many writes there may have been."""
        number: int = _own.__get__(self) + 1
        self.value = number
        return number

    @value.setter
    def value(self, number: int) -> None:
        _own.__set__(self, number)


#: Counts the writes to all arrays of the process: while it stays the same, no array changes.
writes = Counter()
#: Counts of memory that was handed to others, who may write to it at any time.
handed_out: set[Counter] = set()


def hand_out(memory: Counter) -> None:
    """Let every reader of ``memory``, and of ``writes``, look again from now on."""
    memory.value += 1  # it is not as it was loaded any more
    handed_out.add(memory)
    writes.__class__ = RestlessCounter
