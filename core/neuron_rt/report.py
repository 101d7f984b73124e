"""The layout of a process in words and as a picture: what ``describe()`` returns (SPEC P7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from neuron_rt.placement import CoreRange, Group, listed
from neuron_rt.runtime import Runtime

_MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class ModelReport:
    """One placed model. ``calls``, ``errors``, ``timeouts`` and ``switches`` are sums over its replicas."""

    name: str
    kind: str
    file: str
    nc_count: int
    placement: tuple[CoreRange, ...]
    cpus: tuple[int, ...]
    """CPUs its replicas run on; empty where nothing is pinned."""
    calls: int
    errors: int
    timeouts: int
    switches: int
    calls_by_replica: tuple[int, ...]
    engine: str
    """What computes it: a framework's name or an engine's."""
    why: str
    """Why that and no other."""
    guarded: int = 0
    """Calls, or slices of a batch, that the engine left to the framework, since only that answers them exactly
    (SPEC K3)."""


@dataclass(frozen=True)
class Layout:
    """A process's layout. ``str()`` of it is a table with a bar of the NCs."""

    instance: str = ""
    nc_count: int = 0
    """NeuronCores of the whole instance."""
    instance_ncs: tuple[int, ...] = ()
    groups: tuple[Group, ...] = ()
    cpus: tuple[tuple[int, ...], ...] = ()
    """CPUs behind each visible NC."""
    models: tuple[ModelReport, ...] = field(default=())
    where: str = ""
    """The node and the actor of a cluster that this process is; empty where it is of none."""

    @classmethod
    def of(cls, runtime: Runtime | None, where: str = "") -> Layout:
        """The layout of ``runtime``; an empty one where none has started."""
        if runtime is None:
            return cls(where=where)
        reports = []
        for model in runtime.models():
            slots = model.slots
            cpus = {cpu for core_range in model.placement for nc in core_range.ncs for cpu in runtime.cpus(nc)}
            reports.append(
                ModelReport(
                    name=model.name,
                    kind=model.kind,
                    file=model.file,
                    nc_count=model.nc_count,
                    placement=model.placement,
                    cpus=tuple(sorted(cpus)),
                    calls=sum(slot.calls for slot in slots),
                    errors=sum(slot.errors for slot in slots),
                    timeouts=sum(slot.timeouts for slot in slots),
                    switches=sum(slot.switches for slot in slots),
                    calls_by_replica=tuple(slot.calls for slot in slots),
                    engine=model.engine,
                    why=model.why,
                    guarded=sum(slot.pool.guarded for slot in slots if slot.pool),
                )
            )
        return cls(
            instance=runtime.config.instance.name,
            nc_count=runtime.config.instance.nc_count,
            instance_ncs=runtime.instance_ncs,
            groups=runtime.config.groups,
            cpus=tuple(tuple(sorted(runtime.cpus(nc))) for nc in range(len(runtime.instance_ncs))),
            models=tuple(reports),
            where=where,
        )

    def bar(self) -> str:
        """The NCs side by side, each with the models on it: a letter a model, ``.`` where there is none."""
        on: list[str] = ["" for _ in self.instance_ncs]
        for index, model in enumerate(self.models):
            for core_range in model.placement:
                for nc in core_range.ncs:
                    on[nc] += _MARKS[index % len(_MARKS)]
        most = 8
        cells = [text if len(text) <= most else f"{text[: most - 1]}+" for text in (text or "." for text in on)]
        width = max([2, *(len(cell) for cell in cells)])
        edges = {group.start for group in self.groups[1:]}
        lines = []
        for first in range(0, len(cells), 16):
            row = range(first, min(first + 16, len(cells)))
            heads = "".join(("|" if nc in edges else " ") + f"{nc:>{width}}" for nc in row)
            marks = "".join(("|" if nc in edges else " ") + f"{cells[nc]:>{width}}" for nc in row)
            lines += [f"NC {heads}".rstrip(), f"   {marks}".rstrip()]
        return "\n".join(lines)

    def __str__(self) -> str:
        if not self.instance:
            return "The Neuron runtime has not started in this process: no model is loaded."
        rows = [("", "model", "framework", "NCs", "instance NCs", "replicas", "CPUs", "engine", "calls", "switches")]
        for index, model in enumerate(self.models):
            rows.append(
                (
                    _MARKS[index % len(_MARKS)],
                    model.name,
                    model.kind,
                    _few([str(core_range) for core_range in model.placement]),
                    listed(tuple(nc for core_range in model.placement for nc in core_range.instance_ncs)),
                    str(len(model.placement)),
                    ",".join(map(str, model.cpus)) or "any",
                    model.engine,
                    str(model.calls),
                    str(model.switches),
                )
            )
        owned = f"{len(self.instance_ncs)} of {self.nc_count} NeuronCores, {listed(self.instance_ncs)}"
        at = f"\n{self.where}" if self.where else ""
        parts = [f"{self.instance}: this process owns {owned}{at}", _table(rows)]
        if self.instance_ncs:
            parts.append(self.bar())
        reasons: dict[str, str] = {}
        for index, model in enumerate(self.models):
            reason = f"{model.engine}: {model.why}"
            if model.guarded:
                reason += f"; guarded calls: {model.guarded} (docs/numerics.md)"
            reasons[reason] = reasons.get(reason, "") + _MARKS[index % len(_MARKS)]
        if reasons:
            parts.append("\n".join(f"{_few(list(marks), 16)}  {reason}" for reason, marks in reasons.items()))
        return "\n\n".join(parts)


def _few(texts: list[str], most: int = 4) -> str:
    return " ".join(texts) if len(texts) <= most else f"{texts[0]} ... {texts[-1]}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
