"""Finds what costs time in a plan (models that take turns, idle NeuronCores, shared CPUs), and what may surprise."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

from neuron_adapters.tools.plan._plan import FRAMEWORKS, Finding, Landed, Plan
from neuron_adapters.tools.shared.text import ranges
from neuron_rt import GROUP_SIZES, NUM_CORES, VISIBLE_CORES, Config, listed

_MOST_NAMED = 8
#: How a model gets onto other NCs.
_MOVES = {
    "torch": "load the models in another order, or within neuron_cores_context(start_nc)",
    "tf": f"load the models in another order, or form other groups ({NUM_CORES}=...,...)",
    "mx": "bind it to another mx.neuron(i)",
}


def findings_of(plan: Plan) -> tuple[Finding, ...]:
    """Find everything but loads that failed."""
    return (
        *_shared(plan), *_idle(plan), *_same_cpus(plan), *_spanning(plan), *_replicated(plan), *_deprecated(plan.config)
    )  # fmt: skip


def _shared(plan: Plan) -> list[Finding]:
    """Find models that share NCs (P5), once for each set of models."""
    sets: dict[tuple[Landed, ...], list[int]] = {}
    for nc, on in enumerate(plan.on):
        if len(on) > 1:
            sets.setdefault(on, []).append(nc)
    findings = []
    for on, ncs in sets.items():
        marks = tuple(model.mark for model in on)
        text = (
            f"{_named(marks)} share {listed(tuple(ncs))}: they never run at the same moment, and "
            "each change from one to another is a model switch."
        )
        findings.append(Finding("warning", "shared", text, marks, tuple(ncs)))
    return findings


def _idle(plan: Plan) -> list[Finding]:
    ncs = tuple(nc for nc, on in enumerate(plan.on) if not on)
    used = len(plan.visible) - len(ncs)
    if not ncs or not used:
        return []
    text = (
        f"{listed(ncs)} {'is' if len(ncs) == 1 else 'are'} taken and idle: no other process can use what this one owns."
    )
    if ncs[0] == used and not plan.config.groups:  # the idle ones are the last
        fewer = (
            f"{NUM_CORES}={used}" if plan.config.visible is None else f"{VISIBLE_CORES}={ranges(plan.visible[:used])}"
        )
        text += f" {fewer} leaves {'it' if len(ncs) == 1 else 'them'} to others."
    return [Finding("warning", "idle", text, (), ncs)]


def _same_cpus(plan: Plan) -> list[Finding]:
    """Find models on disjoint NCs that compute on the same CPUs (I3)."""
    behind: dict[int, list[Landed]] = {}
    for model in plan.models:
        for cpu in plan.cpus_of(model.ncs):
            behind.setdefault(cpu, []).append(model)
    marks: set[str] = set()
    cpus = []
    for cpu, models in sorted(behind.items()):
        # Models that share NCs take turns anyway: then nothing is lost here.
        if any(a.isdisjoint(b) for a, b in itertools.combinations({model.ncs for model in models}, 2)):
            marks.update(model.mark for model in models)
            cpus.append(cpu)
    if not cpus:
        return []
    count = len(frozenset[int]().union(*plan.cpus))
    concerned = tuple(model.mark for model in plan.models if model.mark in marks)
    text = (
        f"{_named(concerned)} slow each other: their NeuronCores are disjoint, but on the same CPUs ({ranges(cpus)}), "
        f"since {len(plan.visible)} NeuronCores share {count} CPU{'s' * (count > 1)}. "
        "NEURON_ADAPTERS_INSTANCE=host makes one NeuronCore a CPU."
    )
    return [Finding("warning", "same_cpus", text, concerned)]


def _spanning(plan: Plan) -> list[Finding]:
    """Find runs of NCs that models are on and that have CPUs of several NUMA nodes, once each."""
    runs: dict[tuple[int, ...], list[str]] = {}
    for model in plan.models:
        for replica in model.ranges:
            runs.setdefault(tuple(replica.ncs), []).append(model.mark)
    findings = []
    for ncs, marks in runs.items():
        if plan.nodes.span(ncs):
            groups = enumerate(plan.config.groups)
            where = [
                f" of group {index}" for index, group in groups if group.start <= ncs[0] < group.start + group.size
            ]
            what = (
                f"{listed(ncs)}{''.join(where)}, where {_named(marks)} {'computes' if len(marks) == 1 else 'compute'},"
            )
            text = plan.nodes.explain(what, ncs, _MOVES[plan.framework])
            findings.append(Finding("warning", "spans_nodes", text, tuple(marks), ncs))
    return findings


def _replicated(plan: Plan) -> list[Finding]:
    """Find replicas that the script does not ask for (R3)."""
    models = [model for model in plan.models if model.load.replicas is None and len(model.ranges) > 1]
    if not models:
        return []
    marks = tuple(model.mark for model in models)
    counts = ", ".join(str(count) for count in sorted({len(model.ranges) for model in models}, reverse=True))
    text = (
        f"{_named(marks)} {'has' if len(marks) == 1 else 'have'} {counts} replicas, as {FRAMEWORKS[plan.framework]} "
        f"loads models of one NeuronCore. {GROUP_SIZES}=Nx1 makes it N replicas, a list of group sizes 1."
    )
    return [Finding("note", "replicated", text, marks)]


def _deprecated(config: Config) -> list[Finding]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config.warn_of_use()
    return [Finding("note", "deprecated", f"{warning.message}.") for warning in caught]


def _named(marks: Sequence[str]) -> str:
    """Write ``A, B and C``; of many, how many there are."""
    if len(marks) > _MOST_NAMED:
        return f"{', '.join(marks[: _MOST_NAMED - 2])} and {len(marks) - _MOST_NAMED + 2} more"
    return " and ".join(filter(None, [", ".join(marks[:-1]), *marks[-1:]]))
