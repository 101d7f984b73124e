"""A fourth adapter, for a framework of a few lines: what CONTRIBUTING.md, "Adding an adapter", comes to.

The framework is ``numnet``: a network is a file of weight matrices, and ``numnet.load`` makes a callable of it. With
the adapter's hook in, every network that is loaded takes its NeuronCores, and its calls run there.

    python examples/adding_an_adapter.py
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from types import SimpleNamespace

os.environ.setdefault("NEURON_RT_NUM_CORES", "4")

import numpy as np

import neuron_adapters
from neuron_adapters.adapter.executable import Shared
from neuron_adapters.adapter.hooks import Hooks, hook
from neuron_adapters.adapter.placed import remember
from neuron_adapters.adapter.placement_rules import default_placement
from neuron_adapters.files.printable import damaged, one_line
from neuron_rt import Model, NotEnoughNeuronCoresError, PlainFramework, init

# -- the framework, which knows nothing of NeuronCores ------------------------------------------------------------


class Network:
    """Layers of weights, (inputs, outputs) each, with ReLU between them."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.weights = weights

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for weight in self.weights[:-1]:
            x = np.maximum(np.einsum("bi,io->bo", x, weight), 0)
        result: np.ndarray = np.einsum("bi,io->bo", x, self.weights[-1])
        return result


def load(path: str) -> Network:
    """The network in an ``.npz`` file."""
    with np.load(path, allow_pickle=False) as file:
        return Network([file[name] for name in sorted(file.files)])


numnet = SimpleNamespace(Network=Network, load=load)

# -- _framework.py: how to hold its threads back ------------------------------------------------------------------

#: einsum computes in the calling thread, and nothing depends on the thread: there is nothing to hold back or carry.
FRAMEWORK = PlainFramework()

# -- _executable.py and _placed.py: what runs, where it is placed -------------------------------------------------

_networks: Shared[Network] = Shared()


class PlacedNetwork(Network):
    """A network whose calls run on its NeuronCores. It keeps its model alive, and its end frees the place."""

    def __init__(self, network: Network, model: Model) -> None:
        super().__init__(network.weights)
        self._network = network
        self._model = model

    def __call__(self, x: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._model.run(self._network, x)
        return result


# -- _load.py: the hook of what loads a model ---------------------------------------------------------------------


def wrap_load(load: Callable[[str], Network]) -> Callable[[str], Network]:
    """A hook of ``numnet.load``: what is loaded is placed. Loads of one file share its weights (SPEC K5)."""

    def placed_load(path: str) -> Network:
        runtime = init()  # first: what cannot be placed need not be read
        key, network = _networks.find(runtime.config, path)
        try:
            network = network or load(path)
        except (ValueError, KeyError, EOFError) as error:
            raise damaged(f"{path} cannot be read as a network: {one_line(error)}") from error
        _networks.keep(key, network)
        weights = sum(weight.nbytes for weight in network.weights)
        model = Model(os.path.basename(path), 1, FRAMEWORK, kind="numnet", file=path, weights=weights)
        placed = PlacedNetwork(network, model)
        runtime.place(model, default_placement(runtime.config, model.nc_count))
        remember(placed, model)
        return placed

    return placed_load


# -- _hooks.py ----------------------------------------------------------------------------------------------------

_hooks = Hooks("numnet adapter", plugins=("numnet_neuron",))


def install() -> bool:
    """Put the hook in; False where AWS's own plug-in is installed."""
    return _hooks.install({}, lambda hooks: hooks.set(numnet, "load", hook(numnet.load, wrap_load)))


# -- and a user's script ------------------------------------------------------------------------------------------


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        use(os.path.join(folder, "digits.npz"))


def use(path: str) -> None:
    rng = np.random.default_rng(0)
    np.savez(path, rng.standard_normal((64, 32)), rng.standard_normal((32, 10)))
    x = rng.standard_normal((8, 64))
    expected = numnet.load(path)(x)

    assert install() and install(), "twice counts once"
    first, second = numnet.load(path), numnet.load(path)
    assert first.weights is second.weights, "two loads of one file share its weights"
    for network in (first, second):
        np.testing.assert_array_equal(network(x), expected)
    print(neuron_adapters.describe())
    print("replicas of the first:", *neuron_adapters.placement(first))

    neuron_adapters.unload(first)
    assert neuron_adapters.placement(first) == ()
    try:
        init().place(Model("large", 5, FRAMEWORK, kind="numnet"))
    except NotEnoughNeuronCoresError as error:
        print(error)
    _hooks.uninstall()
    assert numnet.load is load and type(numnet.load(path)) is Network, "as before"


if __name__ == "__main__":
    main()
