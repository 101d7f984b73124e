"""SPEC M1, M2: tasks and actors have exactly the NeuronCores that Ray hands them, for as long as they live."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import ray_models as models
from ray_machines import CORES, NODES, Machines, wait_for

import neuron_adapters.ray
from neuron_adapters.ray import offer

TWO = {"neuron_cores": 2}


def test_each_node_declares_its_instance_once(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a node has declared, no other node of the same machine declares again."""
    assert ray.cluster_resources()["neuron_cores"] == NODES * CORES
    for number in range(NODES):
        monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(machines.folder / f"node{number}"))
        monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "6")
        assert offer.read() == offer.Offer((4, 5), "4,5", None)
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(machines.folder / "node0" / "another"))
    assert offer.read() == offer.Offer((0, 1, 2, 3, 4, 5), None, None)


def test_models_of_all_frameworks(machines: Machines, tmp_path: Path) -> None:
    """Two tasks of each in one worker after the other: the second has NeuronCores of its own, and idle workers none."""
    kinds = [models.torch_model, models.keras_model, models.mx_model]
    tasks = [ray.remote(num_cpus=1, resources=TWO)(kind) for kind in kinds]
    seen = ray.get([task.remote(str(tmp_path)) for task in tasks])
    wait_for("idle workers to own nothing", lambda: not machines.owned(), seconds=2)
    for report in seen:
        assert report["right"]
        assert report["handed"] == report["owned"]
        assert len(report["owned"]) == 2
        assert report["placed"] == report["owned"]
        assert report["cpus"] == report["behind"]
        assert "task" in report["described"]
    # A NeuronCore's CPUs count, not the one thread that Ray leaves to a task of one CPU.
    assert (seen[0]["omp"], seen[0]["threads"]) == ("1", len(seen[0]["behind"]))


def test_a_worker_that_serves_again_has_other_neuroncores(machines: Machines) -> None:
    """Ray keeps the process of a task for the next one."""

    def owned() -> tuple[int, tuple[int, ...], str]:
        from neuron_adapters.ray import worker
        from neuron_rt import init

        worker.attach()
        return os.getpid(), init().instance_ncs, os.environ["NEURON_RT_VISIBLE_CORES"]

    node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.nodes()[0]["NodeID"], soft=False)
    seen = []
    for cores in (1, 2, 3, 1):
        task = ray.remote(num_cpus=1, resources={"neuron_cores": cores}, scheduling_strategy=node)(owned)
        pid, ncs, variable = ray.get(task.remote())
        assert len(ncs) == cores
        assert variable == ",".join(map(str, ncs))
        seen.append(pid)
    assert len(set(seen)) < len(seen), "no worker served twice: the test shows nothing"


def test_a_task_without_neuroncores_owns_none(machines: Machines) -> None:
    def load() -> str:
        from neuron_adapters.ray import worker

        worker.attach()  # as the import of an adapter does
        try:
            models.scaled()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "it was placed"

    said = ray.get(ray.remote(num_cpus=1)(load).remote())
    assert said.startswith("NotEnoughNeuronCoresError")


@pytest.fixture
def server(machines: Machines) -> Iterator[Any]:
    actor = ray.remote(num_cpus=0, resources={"neuron_cores": CORES}, max_restarts=-1, max_task_retries=-1)(
        models.Server
    )
    handle = actor.remote()
    yield handle
    ray.kill(handle)


@pytest.mark.parametrize("how", ["SIGKILL", "exit", "restart"])
def test_an_actor_that_dies_frees_and_retakes_its_neuroncores(machines: Machines, server: Any, how: str) -> None:
    pid, ncs = ray.get(server.state.remote())
    assert ncs == tuple(range(CORES))
    if how == "restart":
        ray.kill(server, no_restart=False)
    else:
        os.kill(pid, signal.SIGKILL if how == "SIGKILL" else signal.SIGTERM)
    wait_for("another process", lambda: ray.get(server.state.remote())[0] != pid)
    assert ray.get(server.state.remote())[1] == tuple(range(CORES))
    assert machines.owned() == CORES


def test_describe_names_node_and_actor(machines: Machines) -> None:
    with neuron_adapters.ray.DataParallel(models.scaled, num_replicas=1) as model:
        (replica,) = model.replicas
        (slot,) = model._slots
        said = ray.get(slot.actor.describe.remote())
    assert f"node {replica.node} ({replica.node_id[:12]}), actor {replica.actor_id}" in said
    assert "this process owns 1 of 4 NeuronCores" in said
