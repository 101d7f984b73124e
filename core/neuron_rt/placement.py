"""Where models go: pure functions over a table of use, without I/O, threads or a memory of their own (SPEC P).

A table of use is a sequence of counts, one a visible NC: models loaded there and not yet released.
``visible`` maps visible indexes to instance indexes, in the order the user gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from neuron_rt.errors import NotEnoughNeuronCoresError


@dataclass(frozen=True)
class CoreRange:
    """The NCs of one replica: ``start_nc`` and ``nc_count`` count visible NCs, ``instance_ncs`` the machine's (P7)."""

    start_nc: int
    nc_count: int
    instance_ncs: tuple[int, ...]

    if TYPE_CHECKING:
        ncs: range = field(init=False)
        """The visible NCs. At run time not a field: ``dataclasses.asdict`` gives the three above."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ncs", range(self.start_nc, self.start_nc + self.nc_count))

    def __str__(self) -> str:
        last = self.start_nc + self.nc_count - 1
        return f"NC{self.start_nc}" if self.nc_count == 1 else f"NC{self.start_nc}-NC{last}"


@dataclass(frozen=True)
class Group:
    """A formed group: ``size`` visible NCs from ``start``."""

    start: int
    size: int


def form_groups(sizes: Sequence[int]) -> tuple[Group, ...]:
    """Lay groups of these sizes side by side from visible NC 0 (SPEC C3, C4)."""
    return tuple(Group(end - size, size) for size, end in zip(sizes, accumulate(sizes)))


def first_fit(total: int, count: int, have: Callable[[int, int], bool]) -> tuple[int, ...] | None:
    """C3: the lowest run of ``count`` of ``total`` NCs that ``have(start, count)`` grants, or None."""
    for start in range(total - count + 1):
        if have(start, count):
            return tuple(range(start, start + count))
    return None


@lru_cache(maxsize=1024)
def starts(visible: tuple[int, ...], need: int) -> tuple[int, ...]:
    """Every start from which ``need`` visible NCs are neighbours in the instance (SPEC C2), ascending."""
    runs = (visible[start : start + need] for start in range(len(visible) - need + 1))
    return tuple(start for start, run in enumerate(runs) if max(run) - min(run) == need - 1)


def core_range(visible: tuple[int, ...], start: int, need: int) -> CoreRange:
    """The range of ``need`` NCs from visible NC ``start``.

    Raises NotEnoughNeuronCoresError (SPEC P4) when it leaves the visible NCs or they are not neighbours.
    """
    valid = starts(visible, need)
    if start not in valid:
        raise not_enough(visible, need, start)
    return CoreRange(start, need, visible[start : start + need])


def core_ranges(visible: tuple[int, ...], starts: Iterable[int], need: int) -> tuple[CoreRange, ...]:
    """The range of ``need`` NCs from each of ``starts``. Raises as ``core_range`` does."""
    return tuple(core_range(visible, start, need) for start in starts)


def least_used(use: Sequence[int], visible: tuple[int, ...], need: int) -> int:
    """P1: the start of the run of ``need`` NCs whose busiest NC is least used, then whose sum is, then the lowest.

    Raises NotEnoughNeuronCoresError when no run is long enough.
    """
    valid = starts(visible, need)
    if not valid:
        raise not_enough(visible, need, None)
    if need == 1:
        return min(valid, key=use.__getitem__)
    return min(valid, key=lambda start: (max(run := use[start : start + need]), sum(run)))


def spread(use: Sequence[int], visible: tuple[int, ...], copies: int) -> tuple[int, ...]:
    """R3: starts for up to ``copies`` replicas of one NC each: the least used run, or the least used NCs where visible
    NCs are not neighbours. Raises NotEnoughNeuronCoresError where none is visible."""
    count = min(copies, len(visible))
    if not count:
        raise not_enough(visible, 1, None)
    if starts(visible, count):
        start = least_used(use, visible, count)
        return tuple(range(start, start + count))
    return tuple(sorted(sorted(range(len(visible)), key=use.__getitem__)[:count]))


def next_group(loads: Sequence[int]) -> int:
    """P2: the group whose turn it is. ``loads``: models in each group. Without releases that is one after another;
    a released model's place is filled first."""
    return min(range(len(loads)), key=loads.__getitem__)


def replicas(visible: tuple[int, ...], start: int, nc_count: int, need: int) -> tuple[CoreRange, ...]:
    """R1: floor(``nc_count`` / ``need``) replicas side by side from ``start``.

    Raises NotEnoughNeuronCoresError when not even one fits, or one would leave the visible NCs.
    """
    if nc_count < need:
        raise not_enough(visible, need, start, limit=nc_count)
    return core_ranges(visible, range(start, start + nc_count // need * need, need), need)


def not_enough(
    visible: tuple[int, ...], need: int, start: int | None, limit: int | None = None
) -> NotEnoughNeuronCoresError:
    """Word P4's error: need, start, and what is visible."""
    valid = starts(visible, need)
    at = f" from NC{start}" if start is not None else ""
    room = f" within the {limit} asked for" if limit is not None else ""
    if limit is not None:
        hint = f"Ask for at least {need}"
    elif not valid:
        hint = "Give the process more neighbouring NeuronCores, or compile the model for fewer pipeline cores"
    else:
        shown = f"{valid[0]} to {valid[-1]}" if len(valid) == valid[-1] - valid[0] + 1 else str(list(valid)[:16])
        hint = f"Valid starts for it: {shown}"
    return NotEnoughNeuronCoresError(
        f"Not enough NeuronCores (NRT status 9): the model needs {need} consecutive NC(s){at}{room}, "
        f"and this process sees {len(visible)} ({listed(visible)} of the instance). {hint}.",
        need=need,
        start=start,
        visible=len(visible),
    )


def listed(ncs: tuple[int, ...]) -> str:
    """``NC4-NC6,NC9`` for ``(4, 5, 6, 9)``."""
    if not ncs:
        return "none"
    parts: list[list[int]] = []
    for nc in ncs:
        if parts and nc == parts[-1][-1] + 1:
            parts[-1].append(nc)
        else:
            parts.append([nc])
    return ",".join(f"NC{run[0]}" if len(run) == 1 else f"NC{run[0]}-NC{run[-1]}" for run in parts)
