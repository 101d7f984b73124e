"""Plans where models would land (SPEC P1-P4, R1, R3): fills the core's own ``Usage``, without a runtime.

Nothing here decides a placement: ``neuron_rt.usage`` does, for the runtime and for a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neuron_adapters.adapter.placement_rules import at_context_index, default_placement, within_context
from neuron_adapters.tools.plan._findings import findings_of
from neuron_adapters.tools.plan._plan import Finding, Landed, Load, Plan
from neuron_rt import ANYWHERE, Allocation, Config, NeuronError, PlacementRequest, Usage, cpus_of_process

MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make_plan(
    config: Config, framework: str, loads: Sequence[Load], visible: tuple[int, ...], mask: frozenset[int]
) -> Plan:
    """Load all of ``loads``, one after another, on ``visible`` NCs of the instance. ``mask``: CPUs of the process."""
    usage = Usage(visible, config.groups)
    placed: list[Allocation] = []  # they count as long as they are here
    models: list[Landed] = []
    loading: list[Finding] = []
    for index, load in enumerate(loads):
        again, letter = divmod(index, len(MARKS))
        mark = f"{MARKS[letter]}{again + 1 if again else ''}"
        try:
            allocation, warning = usage.choose(load.need, _where(config, framework, load, len(visible)))
        except (NeuronError, ValueError) as error:
            models.append(model := Landed(mark, load, error=str(error)))
            loading.append(Finding("error", "does_not_fit", f"{model.title}: {error}", (mark,)))
            continue
        usage.add(allocation)
        placed.append(allocation)
        models.append(model := Landed(mark, load, allocation.ranges))
        if warning:
            text = f"{model.title}: {warning}."
            loading.append(Finding("warning", "across_groups", text, (mark,), tuple(sorted(model.ncs))))
    cpus = cpus_of_process(visible, config.instance.nc_count, config.cpus, mask) if config.affinity and mask else ()
    plan = Plan(config, framework, visible, cpus or (frozenset(),) * len(visible), tuple(models), ())
    order = ("error", "warning", "note")
    findings = sorted((*loading, *findings_of(plan)), key=lambda finding: order.index(finding.level))
    return replace(plan, findings=tuple(findings))


def _where(config: Config, framework: str, load: Load, visible: int) -> PlacementRequest:
    """Make the request that the adapter would make of the runtime."""
    if framework == "mx":
        if load.start is None:
            return ANYWHERE
        return at_context_index(config, load.start, load.need, visible, "mx.neuron(i)")
    if framework == "tf":
        if load.replicas is None:
            return default_placement(config, load.need)
        return PlacementRequest(count=visible if load.replicas == "all" else load.replicas)
    if load.replicas == "all":
        return within_context(0, visible, visible)
    count = -1 if load.replicas is None else load.replicas * load.need
    return within_context(-1 if load.start is None else load.start, count, visible)
