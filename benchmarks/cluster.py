"""What Ray costs a request, with this package and without, and what a second machine gains.

A request is a batch of one. It takes four ways: a direct call of a placed model; an actor of plain Ray, which loads the same
file with plain PyTorch and one thread; DataParallel of one replica; and Ray Serve, with a replica of plain PyTorch and with
a placed one, through its handle. The model is not compiled, so that all ways compute the same. The overhead is the ratio of
DataParallel to the actor, and of the one Serve to the other, in the time of a request (median of a window).

Then two nodes of one NeuronCore each (DataParallel, two replicas) against one process with two NeuronCores
(torch.neuron.DataParallel), ResNet-50, compiled, batches of two. The nodes share this machine: two CPUs, one each.

Everything runs on one machine, so nothing here tells of a network.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

from _children import models_folder, scratch
from _files import arrays, model_file
from _measure import Spread
from _report import Report, confine, parser, settings, table

NETWORKS = ("tiny", "resnet50")
ACTOR, OURS, DIRECT = "actor of plain Ray", "DataParallel", "direct call"
SERVE, SERVE_OURS = "Serve, plain PyTorch", "Serve, placed"
Side = Callable[[Any], Any]


class Plain:
    """What an actor without this package does."""

    def __init__(self, file: str) -> None:
        import torch

        torch.set_num_threads(1)
        self.model = torch.jit.load(file)

    def run(self, x: Any) -> Any:
        """Call it."""
        return self.model(x)

    __call__ = run


class Placed(Plain):
    """The same with this package."""

    def __init__(self, file: str) -> None:
        import torch

        import neuron_adapters.torch  # noqa: F401 - places what PyTorch loads

        self.model = torch.jit.load(file)


def start_cluster(folder: str) -> Any:
    """A head without NeuronCores, and two nodes with one each, of one instance."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    for number, cores in enumerate((0, 1, 1)):
        own = {"NEURON_ADAPTERS_STATE_DIR": folder, "NEURON_ADAPTERS_INSTANCE": "host", "PYTHONPATH": path}
        if number:
            own["NEURON_RT_VISIBLE_CORES"] = str(number - 1)
        cluster.add_node(
            node_ip_address="127.0.0.1",
            num_cpus=2,
            resources={"neuron_cores": cores},
            env_vars=own,
            include_dashboard=False,
        )
    return cluster


def window(side: Side, x: Any, seconds: float) -> list[float]:
    """The seconds of each call in a window."""
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        side(x)
        times.append(time.perf_counter() - began)
    return times


def rounds_of(sides: dict[str, Side], x: Any, rounds: int, seconds: float) -> dict[str, list[float]]:
    """The median time of a call in each round, by side. The sides take turns, and the order rotates."""
    names = list(sides)
    medians: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            times = window(sides[name], x, seconds)
            if number:  # the first round warms up
                medians[name].append(statistics.median(times))
    return medians


def overhead(report: Report, network: str, rounds: int, seconds: float) -> None:
    """A request by each way."""
    import numpy
    import ray
    import torch
    from ray import serve

    from neuron_adapters.ray import DataParallel

    folder = models_folder()
    file = model_file(folder, network, "plain")
    with numpy.load(arrays(folder, network)) as stored:
        x = torch.from_numpy(stored[stored.files[0]])
    own = Placed(file)  # this process owns NeuronCores of an instance of its own
    actor = ray.remote(num_cpus=0)(Plain).remote(file)
    options: dict[str, Any] = {"num_cpus": 0}
    serve.run(serve.deployment(ray_actor_options=options)(Plain).bind(file), name="plain", route_prefix="/plain")
    options = {"num_cpus": 0, "resources": {"neuron_cores": 1}}
    serve.run(serve.deployment(ray_actor_options=options)(Placed).bind(file), name="placed", route_prefix="/placed")
    plain, placed = serve.get_app_handle("plain"), serve.get_app_handle("placed")
    with DataParallel(file, num_replicas=1) as parallel:
        sides: dict[str, Side] = {
            DIRECT: own.run,
            ACTOR: lambda x: ray.get(actor.run.remote(x)),
            OURS: parallel,
            SERVE: lambda x: plain.remote(x).result(),
            SERVE_OURS: lambda x: placed.remote(x).result(),
        }
        medians = rounds_of(sides, x, rounds, seconds)
    ray.kill(actor)
    serve.delete("plain")
    serve.delete("placed")
    rows = [
        [name, Spread.of(times).text(2, 1e3), Spread.of([a / b for a, b in zip(times, medians[DIRECT])]).text()]  # type: ignore[union-attr]
        for name, times in medians.items()
    ]
    table(f"{network}: a request", ["way", "ms (quartiles)", "÷ direct call"], rows)
    report.data[network] = medians
    for name, ours, others in (("DataParallel", OURS, ACTOR), ("Serve", SERVE_OURS, SERVE)):
        ratios = [a / b for a, b in zip(medians[ours], medians[others])]
        report.goal(f"{network}: {name} ÷ plain Ray", 1.05, ratios, at_least=False)


def second_node(report: Report, rounds: int, seconds: float) -> None:
    """Two nodes of one NeuronCore each against one process of two."""
    import numpy
    import torch

    import neuron_adapters.torch  # noqa: F401 - places what PyTorch loads
    from neuron_adapters.ray import DataParallel

    folder = models_folder()
    file = model_file(folder, "resnet50", "compiled")
    with numpy.load(arrays(folder, "resnet50", 2)) as stored:
        x = torch.from_numpy(stored[stored.files[0]])
    local = torch.neuron.DataParallel(torch.jit.load(file))  # type: ignore[attr-defined]
    with DataParallel(file, num_replicas=2) as nodes:
        medians = rounds_of({"one process": local, "two nodes": nodes}, x, rounds, seconds)
    report.data["second node"] = medians
    rows = [[name, Spread.of([2 / elapsed for elapsed in times]).text(1)] for name, times in medians.items()]  # type: ignore[union-attr]
    table("ResNet-50, batches of two", ["side", "images/s (quartiles)"], rows)
    ratios = [
        process_time / nodes_time for process_time, nodes_time in zip(medians["one process"], medians["two nodes"])
    ]
    report.goal("resnet50: two nodes ÷ one process with two NeuronCores", 0.95, ratios, at_least=True)


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=6, seconds=3.0).parse_args()
    rounds, seconds = settings(options)
    confine(2)
    report = Report("cluster", options)
    for name in [name for name in os.environ if name.startswith("NEURON")]:
        del os.environ[name]
    os.environ["NEURON_ADAPTERS_STATE_DIR"] = scratch()
    os.environ["NEURON_ADAPTERS_INSTANCE"] = "host"
    import ray
    from ray import serve

    import neuron_rt

    cluster = start_cluster(scratch())
    try:
        ray.init(cluster.address, log_to_driver=False)
        for network in NETWORKS[: 1 if options.quick else None]:
            overhead(report, network, rounds, seconds)
        serve.shutdown()
        if not options.quick:
            second_node(report, rounds, seconds)
        runtime = neuron_rt.current()
        if runtime is not None:
            runtime.close()
        ray.shutdown()
    finally:
        cluster.shutdown()
    report.finish()


if __name__ == "__main__":
    main()
