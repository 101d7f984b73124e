"""Which NUMA nodes are behind NeuronCores, and what to do about a run of NeuronCores that spans some (SPEC I3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from neuron_rt import Cpu, listed

_COSTS = "a CPU reads weights and intermediate results in another node's memory more slowly than in its own"
_MOST_NAMED = 4


class Nodes:
    """``of``: the NUMA nodes of the CPUs behind each NC; none where they are unknown."""

    def __init__(self, behind: Sequence[frozenset[int]], cpus: Sequence[Cpu]) -> None:
        node_of = {cpu.index: cpu.node for cpu in cpus}
        self.of: tuple[frozenset[int], ...] = tuple(
            frozenset(node_of[cpu] for cpu in own if cpu in node_of) for own in behind
        )

    @cached_property
    def ncs(self) -> dict[int, tuple[int, ...]]:
        """The NCs that have CPUs of each node."""
        nodes = sorted(frozenset[int]().union(*self.of))
        return {node: tuple(nc for nc, own in enumerate(self.of) if node in own) for node in nodes}

    def span(self, ncs: Sequence[int]) -> bool:
        """Whether CPUs of several nodes are behind these NCs."""
        return len(frozenset[int]().union(*(self.of[nc] for nc in ncs))) > 1

    def explain(self, what: str, ncs: Sequence[int], move: str) -> str:
        """Say that ``what``, on these NCs, spans nodes, what that costs and what to do. ``move``: how it gets onto
        others."""
        parts = {node: tuple(nc for nc in ncs if nc in some) for node, some in self.ncs.items()}
        nodes = [node for node, part in parts.items() if part]
        names = f"{', '.join(map(str, nodes[:-1]))} and {nodes[-1]}"
        if any(len(self.of[nc]) > 1 for nc in ncs):
            advice = f"NEURON_ADAPTERS_INSTANCE with {len(self.ncs)} NeuronCores or more keeps each within a node."
        else:
            names += f" ({_few([f'{listed(parts[node])} on node {node}' for node in nodes], ', ')})"
            advice = self._advice(len(ncs), move)
        return f"{what} spans NUMA nodes {names}: {_COSTS}. {advice}"

    def _advice(self, count: int, move: str) -> str:
        runs = [(node, run) for node, some in self.ncs.items() for run in _runs(some)]
        fitting = [f"{listed(run)} (node {node})" for node, run in runs if len(run) >= count]
        if fitting:
            return f"{count} NeuronCores are within a node anywhere in {_few(fitting, ' or ')}: {move}."
        return (
            f"No node has {count} NeuronCores in a row: compile for {max(len(run) for _node, run in runs)} at most, or "
            "choose an instance of fewer NeuronCores, which have more CPUs each."
        )


def _few(texts: Sequence[str], joint: str) -> str:
    return joint.join([*texts[:_MOST_NAMED], *["..."] * (len(texts) > _MOST_NAMED)])


def _runs(ncs: Sequence[int]) -> list[tuple[int, ...]]:
    """Cut ascending NCs into runs of neighbours."""
    starts = [place for place, nc in enumerate(ncs) if not place or nc != ncs[place - 1] + 1]
    return [tuple(ncs[start:end]) for start, end in zip(starts, [*starts[1:], len(ncs)])]
