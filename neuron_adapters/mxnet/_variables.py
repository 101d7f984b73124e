"""Which variables of a graph are weights, and which are labels."""

from __future__ import annotations

from collections.abc import Sequence

from neuron_adapters.mxnet._graph import Entry, walk
from neuron_adapters.mxnet._subgraphs import inline
from neuron_adapters.mxnet.operators import find

#: Names of operators' inputs that are weights: what a network learns, and nobody feeds.
_WEIGHTS = {
    "weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "running_mean", "running_var", "parameters",
}  # fmt: skip


def weights(heads: Sequence[Entry]) -> set[str]:
    """Names of the variables that are weights wherever they are used."""
    found: set[str] = set()
    fed: set[str] = set()
    for node in walk(inline(heads)):
        operator = find(node.op)
        names = operator.inputs(node.attrs) if operator is not None else ()
        for entry, name in zip(node.inputs, names):
            if entry.node.op == "null":
                # A table that is only looked up in needs no packing, and is read where it is.
                held = name in _WEIGHTS and node.op != "Embedding"
                (found if held else fed).add(entry.node.name)
    return found - fed - {entry.node.name for entry in heads}


def labels(heads: Sequence[Entry]) -> set[str]:
    """Names of the variables that are labels, from which nothing is computed at inference."""
    found: set[str] = set()
    for node in walk(inline(heads)):
        operator = find(node.op)
        names = operator.inputs(node.attrs) if operator is not None else ()
        found.update(entry.node.name for entry, name in zip(node.inputs, names) if name == "label")
    return found
