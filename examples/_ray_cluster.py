"""A cluster of Ray on this machine, for the examples beside this file: nodes with NeuronCores of their own.

Real nodes are machines, and start with one command each: docs/cluster.md.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody

import ray
from ray.cluster_utils import Cluster


def node_options(folder: Path, name: str, instance: str, cores: int, **more: str) -> dict[str, object]:
    """What ``Cluster.add_node`` takes: a state directory and an instance make a node a machine of its own."""
    state = folder / name
    state.mkdir(mode=0o700)
    environment = {"NEURON_ADAPTERS_STATE_DIR": str(state), "NEURON_ADAPTERS_INSTANCE": instance, **more}
    return {
        "node_ip_address": "127.0.0.1",
        "num_cpus": 1,  # as many workers as CPUs start beforehand
        "resources": {"neuron_cores": cores},
        "env_vars": environment,
        "include_dashboard": False,
    }


@contextlib.contextmanager
def local_cluster(folder: Path, nodes: int, instance: str, cores: int) -> Iterator[Cluster]:
    """Start ``nodes`` nodes, each an instance of ``cores`` NeuronCores; the driver is not connected yet."""
    # A node that is killed is missed after two seconds, for which Ray takes half a minute unless told, and a process
    # that does not end when it is told is killed after one.
    # And no worker starts before it is needed: the nodes share this machine's CPUs.
    settings = {
        "health_check_initial_delay_ms": 5000, "health_check_period_ms": 1000, "health_check_failure_threshold": 2,
        "kill_worker_timeout_milliseconds": 1000,
        "enable_worker_prestart": False, "prestart_worker_first_driver": False,
    }  # fmt: skip
    cluster = Cluster()
    try:
        cluster.add_node(**node_options(folder, "node0", instance, cores), _system_config=settings)
        for number in range(1, nodes):
            cluster.add_node(**node_options(folder, f"node{number}", instance, cores), wait=False)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()  # first: a cluster does not end under a driver that is connected
        cluster.shutdown()


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
