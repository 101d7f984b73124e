"""A cluster of Ray for each process of tests: four nodes, each with a state directory and an instance of four
NeuronCores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# What Ray reads when it is imported: it keeps to the loopback device, and writes no token into the home of the user.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_AUTH_MODE"] = "disabled"

import ray
from ray_machines import CORES, NODES, PATH, Machines, local_cluster, wait_for


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("nodes")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NEURON") or name == "RAY_ADDRESS"]:
            patch.delenv(name)
        patch.setenv("PYTHONPATH", PATH)  # the nodes have this environment
        with local_cluster(folder, NODES, str(CORES), CORES) as cluster:
            ray.init(cluster.address, log_to_driver=False)
            yield Machines(cluster, folder)
            ray.shutdown()


@pytest.fixture
def machines(running: Machines) -> Iterator[Machines]:
    """The cluster; afterwards every NeuronCore is free again, for the kernel and for Ray."""
    yield running
    wait_for("the kernel's locks to be free", lambda: not running.owned())
    wait_for("Ray's NeuronCores to be free", lambda: ray.available_resources().get("neuron_cores") == NODES * CORES)
