"""Where models would land (SPEC P1-P4, R1, R3): the core's own table of use, filled without a runtime.

Nothing here decides a placement; it asks :mod:`neuron_rt.table`, as the runtime does, and looks at the answers.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from neuron_adapters.adapter.placement_rules import at_context_index, default_placement, within_context
from neuron_adapters.tools._devices import ranges
from neuron_rt import Config, CoreRange, NeuronError
from neuron_rt.config import GROUP_SIZES, NUM_CORES, VISIBLE_CORES
from neuron_rt.instance import cpus_of_process
from neuron_rt.placement import listed
from neuron_rt.table import ANYWHERE, Allocation, Place, Table

FRAMEWORKS = {"torch": "PyTorch", "tf": "TensorFlow", "mx": "MXNet"}
MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MOST_NAMED = 8


@dataclass(frozen=True)
class Load:
    """One load to plan, in the order of the script. ``start``: the visible NC (or group) it asks for."""

    need: int
    name: str = ""
    start: int | None = None
    replicas: int | Literal["all"] | None = None


@dataclass(frozen=True)
class Landed:
    """What became of a load. ``ranges``: one a replica; empty where it failed, with ``error`` in the load's words."""

    mark: str
    load: Load
    ranges: tuple[CoreRange, ...] = ()
    error: str = ""

    @cached_property
    def ncs(self) -> frozenset[int]:
        """Visible NCs of all its replicas."""
        return frozenset(nc for one in self.ranges for nc in range(one.start_nc, one.start_nc + one.nc_count))

    @property
    def title(self) -> str:
        return f"{self.mark} {self.load.name}".rstrip()


@dataclass(frozen=True)
class Finding:
    """Something to know. ``level``: "error" for what fails, "warning" for what costs, "note" for the rest."""

    level: Literal["error", "warning", "note"]
    kind: str
    text: str
    models: tuple[str, ...] = ()
    ncs: tuple[int, ...] = ()
    """Visible NCs."""


@dataclass(frozen=True)
class Plan:
    """A process that has not started. ``visible``: its instance NCs in visible order; ``cpus``: behind each of them."""

    config: Config
    framework: str
    visible: tuple[int, ...]
    cpus: tuple[frozenset[int], ...]
    models: tuple[Landed, ...]
    findings: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        return not any(one.error for one in self.models)

    @cached_property
    def on(self) -> tuple[tuple[Landed, ...], ...]:
        """Models on each visible NC."""
        found: list[list[Landed]] = [[] for _ in self.visible]
        for one in self.models:
            for nc in one.ncs:
                found[nc].append(one)
        return tuple(map(tuple, found))

    def device(self, nc: int) -> int:
        """The device of a visible NC."""
        return self.visible[nc] // self.config.instance.ncs_per_device

    def cpus_of(self, ncs: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted(frozenset[int]().union(*(self.cpus[nc] for nc in ncs))))

    def summary(self) -> str:
        """One sentence."""
        count = len(self.models)
        failed = sum(bool(one.error) for one in self.models)
        turns = {mark for finding in self.findings if finding.kind == "shared" for mark in finding.models}
        if count == 1:
            return "The model does not fit." if failed else "The model fits."
        if failed:
            return f"{count - failed} of {count} models fit."
        every = "Both" if count == 2 else f"All {count}"
        if turns:
            who = "they" if len(turns) == count else f"{len(turns)} of them"
            return f"{every} models fit; {who} share NeuronCores and take turns."
        return f"{every} models fit, each on NeuronCores of its own."


def make_plan(
    config: Config, framework: str, loads: Sequence[Load], visible: tuple[int, ...], mask: frozenset[int]
) -> Plan:
    """Load all of ``loads``, one after another, on ``visible`` NCs of the instance. ``mask``: CPUs of the process."""
    table = Table(visible, config.groups)
    placed: list[Allocation] = []  # they count as long as they are here
    landed: list[Landed] = []
    said: list[Finding] = []
    for index, load in enumerate(loads):
        again, letter = divmod(index, len(MARKS))
        mark = f"{MARKS[letter]}{again + 1 if again else ''}"
        try:
            allocation, warned = table.choose(load.need, _where(config, framework, load, len(visible)))
        except (NeuronError, ValueError) as error:
            landed.append(Landed(mark, load, error=str(error)))
            said.append(Finding("error", "does_not_fit", f"{landed[-1].title}: {error}", (mark,)))
            continue
        table.add(allocation)
        placed.append(allocation)
        landed.append(one := Landed(mark, load, allocation.ranges))
        if warned:
            said.append(Finding("warning", "across_groups", f"{one.title}: {warned}.", (mark,), tuple(sorted(one.ncs))))
    cpus = cpus_of_process(visible, config.instance.nc_count, config.cpus, mask) if config.affinity and mask else ()
    plan = Plan(config, framework, visible, cpus or (frozenset(),) * len(visible), tuple(landed), ())
    found = (*said, *_shared(plan), *_idle(plan), *_same_cpus(plan), *_replicated(plan), *_deprecated(config))
    order = ("error", "warning", "note")
    return Plan(
        config, framework, visible, plan.cpus, plan.models, tuple(sorted(found, key=lambda one: order.index(one.level)))
    )


def named(marks: Sequence[str]) -> str:
    """``A, B and C``; many are counted."""
    if len(marks) > _MOST_NAMED:
        return f"{', '.join(marks[: _MOST_NAMED - 2])} and {len(marks) - _MOST_NAMED + 2} more"
    return " and ".join(filter(None, [", ".join(marks[:-1]), *marks[-1:]]))


def _where(config: Config, framework: str, load: Load, visible: int) -> Place:
    """What the adapter would ask the runtime for."""
    if framework == "mx":
        if load.start is None:
            return ANYWHERE
        return at_context_index(config, load.start, load.need, visible, "mx.neuron(i)")
    if framework == "tf":
        if load.replicas is None:
            return default_placement(config, load.need)
        return Place(count=visible if load.replicas == "all" else load.replicas)
    if load.replicas == "all":
        return within_context(0, visible, visible)
    count = -1 if load.replicas is None else load.replicas * load.need
    return within_context(-1 if load.start is None else load.start, count, visible)


def _shared(plan: Plan) -> list[Finding]:
    """P5: models that share NCs, told once for each set of models."""
    sets: dict[tuple[Landed, ...], list[int]] = {}
    for nc, on in enumerate(plan.on):
        if len(on) > 1:
            sets.setdefault(on, []).append(nc)
    return [
        Finding(
            "warning", "shared",
            f"{named([one.mark for one in on])} share {listed(tuple(ncs))}: they never run at the same moment, and "
            "each change from one to another is a model switch.",
            tuple(one.mark for one in on), tuple(ncs),
        )
        for on, ncs in sets.items()
    ]  # fmt: skip


def _idle(plan: Plan) -> list[Finding]:
    ncs = tuple(nc for nc, on in enumerate(plan.on) if not on)
    used = len(plan.visible) - len(ncs)
    if not ncs or not used:
        return []
    text = (
        f"{listed(ncs)} {'is' if len(ncs) == 1 else 'are'} taken and idle: no other process can use what this one owns."
    )
    if ncs[0] == used and not plan.config.groups:  # the idle ones are the last
        if plan.config.visible is None:
            text += f" {NUM_CORES}={used} leaves {'it' if len(ncs) == 1 else 'them'} to others."
        else:
            text += (
                f" {VISIBLE_CORES}={ranges(plan.visible[:used])} leaves {'it' if len(ncs) == 1 else 'them'} to others."
            )
    return [Finding("warning", "idle", text, (), ncs)]


def _same_cpus(plan: Plan) -> list[Finding]:
    """I3: models on disjoint NCs that compute on the same CPUs."""
    behind: dict[int, list[Landed]] = {}
    for one in plan.models:
        for cpu in plan.cpus_of(one.ncs):
            behind.setdefault(cpu, []).append(one)
    marks: set[str] = set()
    cpus = []
    for cpu, models in sorted(behind.items()):
        # Models that share NCs take turns anyway: then nothing is lost here.
        if any(a.isdisjoint(b) for a, b in itertools.combinations({one.ncs for one in models}, 2)):
            marks.update(one.mark for one in models)
            cpus.append(cpu)
    if not cpus:
        return []
    count = len({cpu for one in plan.cpus for cpu in one})
    concerned = tuple(one.mark for one in plan.models if one.mark in marks)
    text = (
        f"{named(concerned)} compute on the same CPUs ({ranges(cpus)}) though their NeuronCores are "
        f"disjoint, and slow each other: {len(plan.visible)} NeuronCores stand on {count} CPU{'s' * (count > 1)}. "
        "NEURON_ADAPTERS_INSTANCE=host makes one NeuronCore a CPU."
    )
    return [Finding("warning", "same_cpus", text, concerned)]


def _replicated(plan: Plan) -> list[Finding]:
    """R3: replicas that nobody asked for."""
    models = [one for one in plan.models if one.load.replicas is None and len(one.ranges) > 1]
    if not models:
        return []
    marks = tuple(one.mark for one in models)
    counts = ", ".join(str(count) for count in sorted({len(one.ranges) for one in models}, reverse=True))
    text = (
        f"{named(marks)} {'has' if len(marks) == 1 else 'have'} {counts} replicas, as {FRAMEWORKS[plan.framework]} "
        f"loads models of one NeuronCore. {GROUP_SIZES}=Nx1 makes that N, a list of groups one."
    )
    return [Finding("note", "replicated", text, marks)]


def _deprecated(config: Config) -> list[Finding]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config.warn_of_use()
    return [Finding("note", "deprecated", f"{one.message}.") for one in caught]
