"""Where NeuronCores, groups and replicas stand in a picture of a plan. ``_text`` and ``_svg`` paint it.

A picture has a column for each NeuronCore. Columns are cut into bands of one length, which stand one below the other.
Replicas lie in rows that run through all bands: those in one row run side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from neuron_adapters.tools.plan._plan import Landed, Plan
from neuron_rt import CoreRange

Row = list[tuple[CoreRange, Landed]]


class Bar(NamedTuple):
    """The part of a range of visible NCs that lies in a band: ``width`` columns from ``first`` on."""

    first: int
    width: int
    begins: bool
    """Whether the range begins here, rather than in an earlier band."""
    ends: bool


@dataclass(frozen=True)
class Band:
    """Columns that stand side by side. ``ncs``: their instance NCs; ``rows``: those of the whole picture."""

    plan: Plan
    ncs: tuple[int, ...]
    visible: tuple[int | None, ...]
    """The visible index of each column; None for an NC that the process does not own."""
    rows: Sequence[Row]

    @cached_property
    def use(self) -> tuple[int, ...]:
        """Models on each column."""
        return tuple(0 if nc is None else len(self.plan.on[nc]) for nc in self.visible)

    @cached_property
    def idle(self) -> tuple[int, ...]:
        """Columns that the process owns and on which it has no model."""
        return tuple(column for column, nc in enumerate(self.visible) if nc is not None and not self.use[column])

    @cached_property
    def devices(self) -> list[tuple[int, int]]:
        """Each device, from left to right, and how many columns it has."""
        per_device = self.plan.config.instance.ncs_per_device
        return [(device, len(list(ncs))) for device, ncs in itertools.groupby(self.ncs, lambda nc: nc // per_device)]

    @cached_property
    def groups(self) -> list[tuple[int, Bar]]:
        """The groups that have NCs here, by index."""
        bars = ((index, self._bar(group.start, group.size)) for index, group in enumerate(self.plan.config.groups))
        return [(index, bar) for index, bar in bars if bar]

    def replicas(self, row: Row) -> list[tuple[Landed, Bar]]:
        """The replicas of a row that have NCs here."""
        bars = ((model, self._bar(replica.start_nc, replica.nc_count)) for replica, model in row)
        return [(model, bar) for model, bar in bars if bar]

    @cached_property
    def _columns(self) -> dict[int | None, int]:
        return {nc: column for column, nc in enumerate(self.visible)}

    def _bar(self, start: int, count: int) -> Bar | None:
        ncs = range(start, start + count)
        columns = [self._columns[nc] for nc in ncs if nc in self._columns]
        return Bar(columns[0], len(columns), ncs[0] in self._columns, ncs[-1] in self._columns) if columns else None


def bands_of(plan: Plan, shown: Sequence[int], length: int) -> list[Band]:
    """Lay out the instance NCs ``shown`` in bands of up to ``length`` columns."""
    rows = _rows(plan)
    index = {nc: visible for visible, nc in enumerate(plan.visible)}
    bands = (tuple(shown[first : first + length]) for first in range(0, len(shown), length))
    return [Band(plan, ncs, tuple(map(index.get, ncs)), rows) for ncs in bands]


def _rows(plan: Plan) -> list[Row]:
    """Put each replica into the first row in which its NCs are free."""
    rows: list[Row] = []
    taken: list[set[int]] = []
    for model in plan.models:
        for replica in model.ranges:
            ncs = set(range(replica.start_nc, replica.start_nc + replica.nc_count))
            place = next((place for place, others in enumerate(taken) if others.isdisjoint(ncs)), len(rows))
            if place == len(rows):
                rows.append([])
                taken.append(set())
            rows[place].append((replica, model))
            taken[place] |= ncs
    return rows
