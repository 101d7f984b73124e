"""``tensorflow.neuron.graph_util``: what of it works on a graph alone."""

from __future__ import annotations

from typing import Any

from neuron_adapters.files.savedmodel import OP
from neuron_adapters.tf._compile import check_replicas
from neuron_adapters.tf._tf1_api import RemovedName

__all__ = ["tag_multicore"]


def tag_multicore(graph_def: Any, num_cores: int = 1) -> Any:
    """Tag the NeuronOps of a GraphDef for ``num_cores`` NCs (SPEC R3), and return it. Raises
    tf.errors.InvalidArgumentError for fewer than 1."""
    check_replicas(num_cores)
    for node in graph_def.node:
        if node.op == OP:
            node.attr["_automatic_multicore"].i = num_cores
    return graph_def


def __getattr__(name: str) -> RemovedName:
    if name.startswith("_"):
        raise AttributeError(name)
    return RemovedName(
        f"graph_util.{name}", "write a SavedModel and compile it with tensorflow.neuron.saved_model.compile()"
    )
