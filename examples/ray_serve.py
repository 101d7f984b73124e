"""A compiled model behind HTTP: Ray Serve places its replicas on NeuronCores, adds some under load and updates it.

Each replica has two NeuronCores, of whatever node has them (SPEC M1). Requests that come at the same time are one
batch. While eight clients ask, Serve starts a second replica, then takes in another version of the model, and at last a
replica is killed. No request fails.

Run it alone, or on a cluster: RAY_ADDRESS=HEAD:6379 python examples/ray_serve.py
"""

import asyncio
import contextlib
import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody

import ray
import starlette.requests
import torch
from _models import require, vector_network
from _ray_cluster import free_port
from ray import serve
from ray.exceptions import RayActorError

import neuron_adapters.ray
import neuron_adapters.torch as torch_neuron

CLIENTS = 8


@serve.deployment(
    ray_actor_options={"num_cpus": 0, "resources": {"neuron_cores": 2}},  # its NeuronCores bring their CPUs
    autoscaling_config={
        "min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 1,
        "upscale_delay_s": 1, "metrics_interval_s": 0.5, "look_back_period_s": 1,
    },
    max_ongoing_requests=32,
    health_check_period_s=5,
    graceful_shutdown_wait_loop_s=0.5,
)  # fmt: skip
class Scores:
    """What runs in each replica."""

    def __init__(self, path: str, version: int) -> None:
        import torch

        import neuron_adapters.torch

        self.version = version
        self.model = torch.jit.load(path)
        (where,) = neuron_adapters.placement(self.model)
        self.where = f"NC{where.instance_ncs[0]}-NC{where.instance_ncs[-1]} of process {os.getpid()}"

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.005)
    async def scores(self, vectors: list[list[float]]) -> list[list[float]]:
        rows = await asyncio.to_thread(self.model, torch.tensor(vectors))  # the event loop goes on meanwhile
        scores: list[list[float]] = rows.tolist()
        return scores

    async def __call__(self, vector: list[float]) -> dict[str, Any]:
        return {"version": self.version, "where": self.where, "scores": await self.scores(vector)}

    def check_health(self) -> None:
        """Raise where the model does not answer: Serve then replaces the replica."""
        self.model(torch.zeros(1, 64))


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0}, max_ongoing_requests=100)
class Front:
    """Takes the requests, and asks another replica where one is lost in the middle of them. It has no NeuronCores."""

    def __init__(self, scores: Any) -> None:
        self.scores = scores

    async def __call__(self, request: starlette.requests.Request) -> dict[str, Any]:
        vector = json.loads(await request.body())
        for attempt in range(8):
            with contextlib.suppress(RayActorError):  # the replica is gone, and Serve starts another one
                answer: dict[str, Any] = await self.scores.remote(vector)
                return answer
            await asyncio.sleep(0.1 * attempt)
        raise RuntimeError("8 replicas were lost with this request: the model seems to end its process")


def ask(url: str, vector: list[float]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(vector).encode())  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        said: dict[str, Any] = json.load(answer)
        return said


class Clients:
    """Threads that ask until they are told to stop, and note every answer and every failure."""

    def __init__(self, url: str, vectors: torch.Tensor) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.failures: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url, vectors, n)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str, vectors: torch.Tensor, number: int) -> None:
        while not self._stop.wait(0.05):
            try:
                self.answers.append((number, ask(url, vectors[number].tolist())))
            except Exception as error:  # noqa: BLE001, PERF203 - each failure counts
                self.failures.append(error)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not happened():
        require(time.monotonic() < deadline, f"waited in vain for {what}")
        time.sleep(0.1)


def running() -> int:
    state = serve.status().applications["scores"].deployments["Scores"].replica_states
    counts: dict[str, int] = {str(getattr(key, "value", key)): count for key, count in state.items()}
    return counts.get("RUNNING", 0)


def replicas() -> set[str]:
    """The names of the actors."""
    named = ray.util.list_named_actors(all_namespaces=True)
    return {actor["name"] for actor in named if actor["name"].startswith("SERVE_REPLICA::scores#Scores#")}


def main() -> None:
    torch.manual_seed(0)
    vectors = torch.rand(CLIENTS, 64)
    with tempfile.TemporaryDirectory() as folder:
        networks, files = [vector_network(), vector_network()], []
        for number, network in enumerate(networks):
            files.append(str(Path(folder, f"version{number + 1}.pt")))
            flags = ["--neuroncore-pipeline-cores", "2"]
            torch_neuron.trace(network, vectors[:1], compiler_args=flags, dynamic_batch_size=True).save(files[-1])
        with torch.no_grad():
            expected = [network(vectors) for network in networks]

        neuron_adapters.ray.init()
        port = free_port()
        # One HTTP proxy, on the head; unless told, Serve starts one on each node that has a replica.
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        url = f"http://127.0.0.1:{port}/"
        front: Any = Front  # mypy does not see what Serve's decorator made of the classes
        scores: Any = Scores
        try:
            serve.run(front.bind(scores.bind(files[0], 1)), name="scores")
            print("one request:", ask(url, vectors[0].tolist())["where"])
            clients = Clients(url, vectors)
            try:
                wait_for("a second replica", lambda: running() == 2)
                print(f"{CLIENTS} clients: Serve has started a second replica")
                serve.run(front.bind(scores.bind(files[1], 2)), name="scores")
                asked = len(clients.answers)
                wait_for("answers of version 2", lambda: len(clients.answers) > asked + 5 * CLIENTS)
                lost = min(replicas())
                ray.kill(ray.get_actor(lost, namespace="serve"))
                wait_for("another replica", lambda: running() == 2 == len(replicas() - {lost}))
                print("a replica was killed, and Serve has started another one")
            finally:
                clients.stop()
        finally:
            serve.shutdown()
    print(f"{len(clients.answers)} requests, {len(clients.failures)} failed")
    require(not clients.failures, f"a request failed: {clients.failures[:1]}")
    require({answer["version"] for _n, answer in clients.answers} == {1, 2}, "not both versions answered")
    require(clients.answers[-1][1]["version"] == 2, "the old version still answers")
    worst = max(
        (torch.tensor(answer["scores"]) - expected[answer["version"] - 1][number]).abs().max().item()
        for number, answer in clients.answers
    )
    require(worst < 1e-4, f"an answer differs from plain PyTorch by {worst}")
    print("Every answer is that of plain PyTorch for its version.")


if __name__ == "__main__":
    main()
