"""What the tests run in Ray's workers, which import it by its name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np


def scaled(factor: float = 2.0, seconds: float = 0.0) -> Any:
    """A model of one NeuronCore that needs no framework: it multiplies."""
    import neuron_rt

    model = neuron_rt.Model("scaled", 1, neuron_rt.PlainFramework(), kind="python")
    neuron_rt.init().place(model)

    def compute(x: Any) -> Any:
        time.sleep(seconds)
        return x * factor

    return lambda x: model.run(compute, x)


def heavy(weights: np.ndarray) -> Any:
    """A model that says where its weights are, and multiplies with them."""
    address = weights.__array_interface__["data"][0]
    with open("/proc/self/maps") as maps:
        for line in maps:
            low, _, high = line.split()[0].partition("-")
            if int(low, 16) <= address < int(high, 16):
                kind = " ".join(line.split()[5:])
    return lambda x: {"product": x @ weights, "memory": np.array([kind] * len(x))}


class OddError(Exception):
    """An exception with a field and a constructor of its own."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} is odd")
        self.row = row

    def __reduce__(self) -> Any:
        return OddError, (self.row,)


def strict() -> Any:
    """A model that dislikes odd numbers, and stops at -1."""

    def compute(x: np.ndarray) -> np.ndarray:
        if (x == -1).any():
            raise StopIteration("minus one")
        if (x % 2).any():
            raise OddError(int(x[x % 2 == 1][0]))
        return x + 1

    return compute


def look(result: Any, expected: Any, model: Any) -> dict[str, Any]:
    """What is true of a model that was placed in this process."""
    import neuron_adapters
    import neuron_rt

    where = neuron_adapters.placement(model)
    placed = tuple(nc for core_range in where for nc in core_range.instance_ncs)
    layout = neuron_adapters.describe()
    config = neuron_rt.Config.read()
    behind = neuron_rt.cpus_of_ncs(config.instance.nc_count, config.cpus)
    return {
        "right": bool(np.allclose(np.asarray(result), np.asarray(expected), rtol=1e-3, atol=1e-4)),
        "handed": tuple(int(nc) for nc in os.environ["NEURON_RT_VISIBLE_CORES"].split(",")),
        "placed": placed,
        "owned": layout.instance_ncs,
        "cpus": layout.models[-1].cpus,
        "behind": tuple(sorted(frozenset().union(*(behind[nc] for nc in placed)))),
        "pid": os.getpid(),
        "described": str(layout),
        "omp": os.environ.get("OMP_NUM_THREADS"),
    }


def torch_model(folder: str) -> dict[str, Any]:
    """Compile for two NeuronCores, save, load, call."""
    import torch

    import neuron_adapters.torch  # noqa: F401 - gives it torch.neuron

    x = torch.rand(2, 8)
    network = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU()).eval()
    file = str(Path(folder, f"{os.getpid()}.pt"))
    torch.neuron.trace(network, x, compiler_args=["--neuroncore-pipeline-cores", "2"]).save(file)
    model = torch.jit.load(file)
    with torch.no_grad():
        return {**look(model(x), network(x), model), "threads": torch.get_num_threads()}


def keras_model(folder: str) -> dict[str, Any]:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    import neuron_adapters.tf  # noqa: F401

    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="relu")])
    x = np.random.default_rng(0).random((2, 8), dtype=np.float32)
    file = str(Path(folder, f"{os.getpid()}.keras"))
    network.save(file)
    model = tf.keras.models.load_model(file)
    return look(model(x), network(x), model)


def mx_model(folder: str) -> dict[str, Any]:
    from neuron_adapters import mx

    graph = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="dense")
    args = {"dense_weight": mx.nd.random_normal(0, 1, (4, 8)), "dense_bias": mx.nd.zeros((4,))}
    x = mx.nd.random_normal(0, 1, (2, 8))
    compiled = mx.contrib.neuron.compile(graph, args, {}, inputs={"data": x}, **{"--neuroncore-pipeline-cores": 2})
    mx.model.save_checkpoint(str(Path(folder, f"{os.getpid()}")), 0, *compiled)
    sym, args, aux = mx.model.load_checkpoint(str(Path(folder, f"{os.getpid()}")), 0)
    model = sym.bind(ctx=mx.neuron(0), args={**args, "data": x}, aux_states=aux, grad_req="null")
    plain = x.asnumpy() @ args["dense_weight"].asnumpy().T
    return look(model.forward()[0].asnumpy(), plain, model)


class Server:
    """An actor with a model of its own."""

    def __init__(self) -> None:
        from neuron_adapters.ray import worker

        worker.attach()
        self.model = scaled()

    def state(self) -> tuple[int, tuple[int, ...]]:
        import neuron_rt

        return os.getpid(), neuron_rt.init().instance_ncs
