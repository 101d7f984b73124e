"""A cluster to look at: four nodes, 64 NeuronCores, a batch over all of them, a web request, and a node that dies.

The nodes are processes of this machine, each with an instance (inf1.6xlarge) and a state directory of its own, so Ray
and this package treat them as four machines. ``make demo-cluster`` runs this.
"""

import json
import os
import signal
import tempfile
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray keeps to the loopback device, as on these systems

import ray
import starlette.requests
import torch
from _models import difference, require, vector_network
from _ray_cluster import free_port, local_cluster
from ray import serve

import neuron_adapters.ray
import neuron_adapters.torch as torch_neuron

BATCH = 64


@serve.deployment(ray_actor_options={"num_cpus": 0, "resources": {"neuron_cores": 2}})
class Scores:
    """What runs in the actor behind HTTP."""

    def __init__(self, path: str) -> None:
        import torch

        import neuron_adapters.torch  # noqa: F401 - places what PyTorch loads

        self.model = torch.jit.load(path)

    async def __call__(self, request: starlette.requests.Request) -> list[list[float]]:
        scores: list[list[float]] = self.model(torch.tensor(json.loads(await request.body()))).tolist()
        return scores


def main() -> None:
    torch.manual_seed(0)
    network, x = vector_network(), torch.rand(BATCH, 64)
    with torch.no_grad():
        expected = network(x)
    with tempfile.TemporaryDirectory() as temporary, local_cluster(Path(temporary), 4, "inf1.6xlarge", 16) as cluster:
        file = str(Path(temporary, "model.pt"))
        flags = ["--neuroncore-pipeline-cores", "2"]
        torch_neuron.trace(network, x[:1], compiler_args=flags, dynamic_batch_size=True).save(file)
        ray.init(cluster.address, log_to_driver=False)
        print(f"{len(ray.nodes())} nodes, {ray.cluster_resources()['neuron_cores']:.0f} NeuronCores")

        port = free_port()
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        scores: Any = Scores  # mypy does not see what Serve's decorator made of the class
        serve.run(scores.bind(file), name="scores")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", json.dumps(x[:1].tolist()).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - of our own server
            require(difference(torch.tensor(json.load(answer)), expected[:1]) < 1e-4, "the server answers otherwise")
        print("a web request was answered as plain PyTorch does")

        with neuron_adapters.ray.DataParallel(file, neuron_cores=2, num_replicas=8) as model:
            for node, count in Counter(replica.node_id[:12] for replica in model.replicas).items():
                print(f"  node {node} has {count} replicas of two NeuronCores")
            require(difference(model(x), expected) < 1e-4, "the batch differs from plain PyTorch")
            victim = next(iter(cluster.worker_nodes))
            killer = threading.Timer(0.5, os.kill, (victim.all_processes["raylet"][0].process.pid, signal.SIGKILL))
            killer.start()
            answers = [model(x) for _ in range(100)]
            killer.join()
            answers += [model(x) for _ in range(20)]
            require(max(difference(answer, expected) for answer in answers) < 1e-4, "an answer is wrong")
            print(f"a node was killed in the middle of {len(answers)} batches: all were answered, and right")
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
