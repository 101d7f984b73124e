"""What the nodes of a cluster have of NeuronCores, for those who wait for some."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray._private.state import actors, available_resources_per_node

from neuron_adapters.ray.offer import RESOURCE

_PATIENCE = 5.0  # seconds; Ray counts NeuronCores as free some tenths of a second after their owner has ended
_PAUSE = 0.1


def room(neuron_cores: int, *, wait: bool) -> int:
    """How many replicas there are free NeuronCores for, now or, where owners are just ending, soon."""
    end = time.monotonic() + _PATIENCE * wait
    while True:
        count = sum(free // neuron_cores for free in free_cores().values())
        large = any(node["Resources"][RESOURCE] >= neuron_cores for node in _nodes())
        if count or not large or time.monotonic() > end:
            return count
        time.sleep(_PAUSE)


def wait_until_free(count: int) -> None:
    """Wait until Ray counts so many NeuronCores as free, or others have taken some of them."""
    end = time.monotonic() + _PATIENCE
    while sum(free_cores().values()) < count and time.monotonic() < end:
        time.sleep(_PAUSE)


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
    if left >= neuron_cores:
        return f"{said}, and {size}, of which {left} are free: processes are still starting"
    return f"{said}, and {size}, of which {left} are free: end what holds the others, or add a node"


def restarts(actor_id: str) -> int:
    """How often Ray has started an actor again."""
    return int(actors(actor_id)["NumRestarts"])


def has_process(actor_id: str) -> bool:
    """Whether an actor runs; it does not where it waits for a node, or is starting there."""
    return bool(actors(actor_id)["State"] == "ALIVE")


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(RESOURCE)]
