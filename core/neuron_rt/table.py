"""The table of use: what is loaded on which NC, and so where the next model goes (SPEC P1-P4, R1, R3).

The runtime keeps one for its process; a plan keeps one for a process that has not started. Neither decides anything
itself. No I/O and no locks: a model counts by a key in a set, so counting in and out is one step each, and what was
placed counts out when it is dropped (``undo``).
"""

from __future__ import annotations

from dataclasses import dataclass

from neuron_rt import placement
from neuron_rt.config import GROUP_SIZES, VISIBLE_CORES, Config
from neuron_rt.errors import NeuronConfigError, NotEnoughNeuronCoresError
from neuron_rt.placement import CoreRange, Group
from neuron_rt.undo import Undo

#: Replicas of a model of one NC of a framework that replicates by itself (SPEC R3).
DEFAULT_REPLICAS = 4


@dataclass(frozen=True)
class Place:
    """Where a load should go. The default leaves it to P1 or P2.

    ``start``: the first visible NC, or None for the least used. ``count``: NCs to spread replicas over (R1), or None
    for one replica. ``starts``: one replica at each of these visible NCs, instead of both. ``copies``: up to so many
    replicas of a model of one NC, on NCs that are least used (R3).
    """

    start: int | None = None
    count: int | None = None
    starts: tuple[int, ...] | None = None
    copies: int | None = None


ANYWHERE = Place()


class Allocation:
    """The NCs of a placed model: a range for each replica, and the group that it fills, if any. It counts as use of
    them from :meth:`Table.add` on until it is dropped."""

    __slots__ = ("group", "keys", "ranges", "used")

    def __init__(self, ranges: tuple[CoreRange, ...], group: int | None = None) -> None:
        self.ranges = ranges
        self.group = group
        self.keys = tuple(object() for _ in ranges)
        """What stands for each range in the table."""
        self.used: list[Undo] = []


class Table:
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
        self, need: int, where: Place = ANYWHERE, besides: Allocation | None = None
    ) -> tuple[Allocation, str | None]:
        """Decide a placement, and what should be said of it; :meth:`add` makes it so. ``besides``: an allocation that
        does not count, since its model moves.

        Raises NotEnoughNeuronCoresError where it does not fit (SPEC P4).
        """
        if where.starts is not None:
            return self._at(where.starts, need), None
        if where.copies is not None:
            return self._at(placement.spread(_counts(self._on, besides), self.visible, where.copies), need), None
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
            for nc in range(core_range.start_nc, core_range.start_nc + core_range.nc_count):
                _count(self._on[nc], key, allocation)
        if allocation.group is not None:
            _count(self._in[allocation.group], allocation.keys[0], allocation)

    def _at(self, starts: tuple[int, ...], need: int) -> Allocation:
        return Allocation(tuple(placement.core_range(self.visible, start, need) for start in starts))


def _count(models: set[object], key: object, allocation: Allocation) -> None:
    """Add ``key`` to ``models`` until ``allocation`` is dropped."""
    allocation.used.append(Undo(models.discard, key))
    models.add(key)


def _counts(places: tuple[set[object], ...], besides: Allocation | None) -> list[int]:
    """Models at each place, without those of ``besides``."""
    if besides is None:
        return list(map(len, places))
    return [len(models) - len(models.intersection(besides.keys)) for models in places]


def by_itself(config: Config, need: int) -> Place:
    """R3: where a framework that replicates by itself puts a model that nobody replicated: one replica for each group
    of NEURONCORE_GROUP_SIZES=Nx1, else up to four where there are no groups. A model of several NCs has one."""
    if need > 1:
        return ANYWHERE
    if config.replicas is not None:
        return Place(starts=tuple(group.start for group in config.groups))
    return ANYWHERE if config.groups else Place(copies=DEFAULT_REPLICAS)


def at_index(config: Config, index: int, need: int, visible: int, call: str) -> Place:
    """P3, C4: where a context with an index starts a model: at that visible NC or, where NEURONCORE_GROUP_SIZES is
    set, at the first NC of that group. ``visible``: NCs of the process; ``call``: the context, both for the error.

    Raises NeuronConfigError where the index could mean both, NotEnoughNeuronCoresError where the group is none or too
    small.
    """
    sizes = config.environ.get(GROUP_SIZES)
    if sizes is None:
        return Place(index)
    if VISIBLE_CORES in config.environ:
        raise NeuronConfigError.of(
            GROUP_SIZES, sizes, f"is set together with {VISIBLE_CORES}, and {call} cannot mean a group and an NC",
            "one of the two variables",
        )  # fmt: skip
    groups = config.groups
    if index >= len(groups) or need > groups[index].size:
        has = (
            f"group {index} has {groups[index].size}" if index < len(groups)
            else f"there are {len(groups)} groups, counted from 0"
        )  # fmt: skip
        raise NotEnoughNeuronCoresError(
            f"Not enough NeuronCores (NRT status 9): the model needs {need} consecutive NC(s) in group {index} of "
            f"{GROUP_SIZES}={sizes}, and {has}. Form larger groups, or unset the variable: {call} is "
            "the NC at which a model starts then.",
            need=need, start=index, visible=visible,
        )  # fmt: skip
    return Place(groups[index].start)


def within(start_nc: int, nc_count: int, visible: int) -> Place:
    """R1: where a context of a start and a count leads; -1 leaves either to the runtime.

    Raises ValueError for what is not among the ``visible`` NCs.
    """
    if start_nc < -1 or start_nc >= visible:
        raise ValueError(f"start_nc={start_nc} is no visible NeuronCore: 0 to {visible - 1}, or -1 for the least used")
    if nc_count == 0 or nc_count < -1 or nc_count > visible:
        raise ValueError(
            f"nc_count={nc_count} is no number of visible NeuronCores: 1 to {visible}, or -1 for what the model needs"
        )
    return Place(None if start_nc < 0 else start_nc, None if nc_count < 0 else nc_count)
