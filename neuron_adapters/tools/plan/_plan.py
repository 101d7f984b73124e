"""What a plan consists of: loads, where they landed, and findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from neuron_adapters.tools.shared.numa import Nodes
from neuron_adapters.tools.shared.text import ranges
from neuron_rt import Config, CoreRange, listed

FRAMEWORKS = {"torch": "PyTorch", "tf": "TensorFlow", "mx": "MXNet"}


@dataclass(frozen=True)
class Load:
    """One load to plan, in the order of the script. ``start``: the visible NC (or group) it asks for."""

    need: int
    name: str = ""
    start: int | None = None
    replicas: int | Literal["all"] | None = None

    @property
    def size(self) -> str:
        """``2 NCs``."""
        return f"{self.need} NC{'s' * (self.need > 1)}"


@dataclass(frozen=True)
class Landed:
    """A load that was tried. ``ranges``: one a replica; empty where it failed, with ``error`` in the load's words."""

    mark: str
    load: Load
    ranges: tuple[CoreRange, ...] = ()
    error: str = ""

    @cached_property
    def ncs(self) -> frozenset[int]:
        """Visible NCs of all its replicas."""
        return frozenset(nc for place in self.ranges for nc in range(place.start_nc, place.start_nc + place.nc_count))

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
        return not any(model.error for model in self.models)

    @cached_property
    def on(self) -> tuple[tuple[Landed, ...], ...]:
        """Models on each visible NC."""
        on: list[list[Landed]] = [[] for _ in self.visible]
        for model in self.models:
            for nc in model.ncs:
                on[nc].append(model)
        return tuple(map(tuple, on))

    def device(self, nc: int) -> int:
        """Which device a visible NC is on."""
        return self.visible[nc] // self.config.instance.ncs_per_device

    @cached_property
    def nodes(self) -> Nodes:
        """NUMA nodes behind the visible NCs."""
        return Nodes(self.cpus, self.config.cpus)

    def cpus_of(self, ncs: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted(frozenset[int]().union(*(self.cpus[nc] for nc in ncs))))

    @property
    def heading(self) -> tuple[str, str]:
        """The name of the instance; then the NeuronCores and CPUs of the process, and its framework."""
        instance = self.config.instance
        name = f"instance {instance.name}" if instance.name.isdecimal() else instance.name
        owned = listed(self.visible) if self.visible == tuple(sorted(self.visible)) else ranges(self.visible)
        cpus = len({cpu.index for cpu in self.config.cpus})
        return name, (
            f"{len(self.visible)} of {instance.nc_count} NeuronCores{f' ({owned})' if self.visible else ''}, "
            f"{cpus} CPU{'s' * (cpus != 1)}; {FRAMEWORKS[self.framework]}"
        )

    def summary(self) -> str:
        """Say in one sentence whether the models fit and take turns."""
        count = len(self.models)
        failed = sum(bool(model.error) for model in self.models)
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

    def as_json(self) -> dict[str, Any]:
        """Make the documented object for scripts."""
        instance = self.config.instance
        return {
            "fits": self.fits,
            "framework": self.framework,
            "instance": {
                "name": instance.name,
                "nc_count": instance.nc_count,
                "ncs_per_device": instance.ncs_per_device,
                "cpu_count": len(self.config.cpus),
            },
            "instance_ncs": list(self.visible),
            "groups": [{"start_nc": group.start, "nc_count": group.size} for group in self.config.groups],
            "ncs": [
                {
                    "nc": nc,
                    "instance_nc": self.visible[nc],
                    "device": self.device(nc),
                    "cpus": sorted(self.cpus[nc]),
                    "nodes": sorted(self.nodes.of[nc]),
                    "models": [model.mark for model in on],
                }
                for nc, on in enumerate(self.on)
            ],
            "models": [
                {
                    "mark": model.mark,
                    "name": model.load.name,
                    "nc_count": model.load.need,
                    "placement": [asdict(replica) for replica in model.ranges],
                    "cpus": list(self.cpus_of(model.ncs)),
                    "error": model.error or None,
                }
                for model in self.models
            ],
            "findings": [asdict(finding) for finding in self.findings],
        }
