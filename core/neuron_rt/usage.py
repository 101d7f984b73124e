"""Usage: what is loaded on which NC, and so where the next model goes (SPEC P1-P4, R1, R3).

The runtime keeps one for its process; a plan keeps one for a process that has not started. Only this module decides.
No I/O and no locks: a model counts by a key in a set, so counting in and out is one step each, and what was
placed counts out when it is dropped (``undo``).
"""

from __future__ import annotations

from dataclasses import dataclass

from neuron_rt import placement
from neuron_rt.placement import CoreRange, Group
from neuron_rt.undo import Undo


@dataclass(frozen=True)
class PlacementRequest:
    """Where a load asks to go. The default leaves it to P1 or P2.

    ``start``: the first visible NC, or None for the least used. ``count``: NCs to spread replicas over (R1), or None
    for one replica. ``starts``: one replica at each of these visible NCs, instead of both. ``copies``: up to so many
    replicas of a model of one NC, on NCs that are least used (R3).
    """

    start: int | None = None
    count: int | None = None
    starts: tuple[int, ...] | None = None
    copies: int | None = None


ANYWHERE = PlacementRequest()


class Allocation:
    """The NCs of a placed model: a range for each replica, and the group that it fills, if any. It counts as use of
    them from ``Usage.add`` on until it is dropped."""

    __slots__ = ("group", "keys", "ranges", "used")

    def __init__(self, ranges: tuple[CoreRange, ...], group: int | None = None) -> None:
        self.ranges: tuple[CoreRange, ...] = ranges
        self.group: int | None = group
        self.keys: tuple[object, ...] = tuple(object() for _ in ranges)
        """What stands for each range in the table."""
        self.used: list[Undo] = []


class Usage:
    """Models on each visible NC, and in each group."""

    def __init__(self, visible: tuple[int, ...], groups: tuple[Group, ...]) -> None:
        """``visible``: instance NCs of the process, in visible order."""
        self.visible = visible
        self.groups = groups
        self._on: tuple[set[object], ...] = tuple(set() for _ in visible)
        self._in: tuple[set[object], ...] = tuple(set() for _ in groups)

    @property
    def use(self) -> list[int]:
        """Models on each visible NC."""
        return list(map(len, self._on))

    def choose(
        self, need: int, where: PlacementRequest = ANYWHERE, besides: Allocation | None = None
    ) -> tuple[Allocation, str | None]:
        """Decide a placement, and what should be said of it; ``add`` makes it so. ``besides``: an allocation that
        does not count, since its model moves.

        Raises NotEnoughNeuronCoresError where it does not fit (SPEC P4).
        """
        starts = where.starts
        if where.copies is not None:
            starts = placement.spread(_counts(self._on, besides), self.visible, where.copies)
        if starts is not None:
            return Allocation(placement.core_ranges(self.visible, starts, need)), None
        start, count = where.start, need if where.count is None else where.count
        if start is None and where.count is None and self.groups:
            index = placement.next_group(_counts(self._in, besides))
            core_range = placement.core_range(self.visible, self.groups[index].start, need)
            said = None
            if need > self.groups[index].size:
                said = (
                    f"A model of {need} NeuronCores is placed across groups, on {core_range}: group {index} has "
                    f"{self.groups[index].size}. Models on those groups now take turns with it"
                )
            return Allocation((core_range,), index), said
        if start is None:
            start = placement.least_used(_counts(self._on, besides), self.visible, max(count, need))
        return Allocation(placement.replicas(self.visible, start, count, need)), None

    def add(self, allocation: Allocation) -> None:
        """Count ``allocation`` as use of its NCs until it is dropped."""
        for key, core_range in zip(allocation.keys, allocation.ranges):
            for nc in core_range.ncs:
                _count(self._on[nc], key, allocation)
        if allocation.group is not None:
            _count(self._in[allocation.group], allocation.keys[0], allocation)


def _count(models: set[object], key: object, allocation: Allocation) -> None:
    """Add ``key`` to ``models`` until ``allocation`` is dropped."""
    allocation.used.append(Undo(models.discard, key))
    models.add(key)


def _counts(places: tuple[set[object], ...], besides: Allocation | None) -> list[int]:
    """Models at each place, without those of ``besides``."""
    if besides is None:
        return list(map(len, places))
    return [len(models) - len(models.intersection(besides.keys)) for models in places]
