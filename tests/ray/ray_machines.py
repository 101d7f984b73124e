"""The cluster of the tests: nodes with state directories of their own, and what is true of their NeuronCores."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neuron_rt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
#: What the nodes' processes import.
PATH = os.pathsep.join([str(ROOT / "core"), str(ROOT), str(Path(__file__).parent)])

import ray  # noqa: E402
from _ray_cluster import free_port, local_cluster, node_options  # noqa: E402

__all__ = ["CORES", "NODES", "PATH", "ROOT", "Machines", "free_port", "local_cluster", "wait_for"]

NODES, CORES = 4, 4


class Machines:
    """The cluster. ``folder`` has the state directory of each node."""

    def __init__(self, cluster: Any, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self._extra = 0

    def add_node(self, instance: str = str(CORES), cores: int = CORES, **environment: str) -> Any:
        """Another node; the test removes it."""
        self._extra += 1
        return self.cluster.add_node(**node_options(self.folder, f"extra{self._extra}", instance, cores, **environment))

    def remove(self, node: Any) -> None:
        self.cluster.remove_node(node, allow_graceful=False)
        wait_for("the node to leave", lambda: self.living() == NODES)

    def living(self) -> int:
        return sum(node["Alive"] for node in ray.nodes())

    def owners(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """Node, process and NeuronCores of each owner. One that has given its NeuronCores back, such as a worker of Ray
        between two tasks, owns none."""
        owners = [(state.name, owner) for state in self._states() for owner in neuron_rt.owners(state)]
        return [(node, owner.pid, owner.ncs) for node, owner in owners if owner.ncs]

    def owned(self) -> int:
        """NeuronCores that the kernel has locked, on all nodes."""
        return sum(len(neuron_rt.owned(state, 2 * CORES)) for state in self._states())

    def _states(self) -> list[Path]:
        return sorted(self.folder.iterdir())


def wait_for(what: str, happened: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
