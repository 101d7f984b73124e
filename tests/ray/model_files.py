"""Files of each kind that DataParallel takes as a path: the path, an input, and what the model answers to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ModelFile = tuple[Path, Any, Any]
X = np.random.default_rng(0).random((2, 8), dtype=np.float32)


def torchscript(folder: Path) -> ModelFile:
    import torch

    import neuron_adapters.torch as torch_neuron

    network, x = torch.nn.Linear(8, 4).eval(), torch.from_numpy(X)
    torch_neuron.trace(network, x, dynamic_batch_size=True).save(str(folder / "m.pt"))
    return folder / "m.pt", x, network(x).detach()


def exported(folder: Path) -> ModelFile:
    import torch

    import neuron_adapters.torch as torch_neuron

    network, x = torch.nn.Linear(8, 4).eval(), torch.from_numpy(X)
    torch.export.save(torch_neuron.trace(network, x, format="pt2", dynamic_batch_size=True), folder / "m.pt2")
    return folder / "m.pt2", x, network(x).detach()


def _keras() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="relu")])


def keras_file(folder: Path) -> ModelFile:
    network = _keras()
    network.save(folder / "m.keras")
    return folder / "m.keras", X, np.asarray(network(X))


def saved_model(folder: Path) -> ModelFile:
    network = _keras()
    import neuron_adapters.tf as tfn

    compiled = tfn.trace(network, X)
    compiled.save(folder / "m")
    return folder / "m", X, np.asarray(network(X))


def checkpoint(folder: Path) -> ModelFile:
    from neuron_adapters import mx

    graph = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="dense")
    weight = mx.nd.random_normal(0, 1, (4, 8))
    args = {"dense_weight": weight, "dense_bias": mx.nd.zeros((4,))}
    mx.model.save_checkpoint(str(folder / "m"), 0, graph, args, {})
    return folder / "m-symbol.json", mx.nd.array(X), X @ weight.asnumpy().T


KINDS: list[Callable[[Path], ModelFile]] = [torchscript, exported, keras_file, saved_model, checkpoint]
