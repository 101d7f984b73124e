"""What the nodes of a cluster have of NeuronCores, for those who wait for some."""

from __future__ import annotations

from typing import Any

import ray
from ray._private.state import available_resources_per_node

from neuron_adapters.ray.offer import RESOURCE


def free_cores() -> dict[str, int]:
    """The NeuronCores of each living node that no task or actor holds, by the node's id."""
    free = available_resources_per_node()
    return {node["NodeID"]: int(free.get(node["NodeID"], {}).get(RESOURCE, 0)) for node in _nodes()}


def waiting(replicas: int, neuron_cores: int) -> str:
    """Say why ``replicas`` replicas of ``neuron_cores`` wait, and what the largest node has."""
    nodes, free = _nodes(), free_cores()
    said = f"{replicas} replica(s) wait for {neuron_cores} NeuronCore(s) on one node"
    if not nodes:
        return f'{said}, and no node has any. Declare them: ray start --resources="$(neuron-adapters ray-resources)"'
    largest = max(nodes, key=lambda node: node["Resources"][RESOURCE])
    has = int(largest["Resources"][RESOURCE])
    size = f"the largest node, {largest['NodeManagerAddress']}, has {has}"
    if has < neuron_cores:
        return f"{said}, and {size}: ask for at most {has}, or add a larger node"
    left = free.get(largest["NodeID"], 0)
    return f"{said}, and {size}, of which {left} are free: end what holds the others, or add a node"


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(RESOURCE)]
