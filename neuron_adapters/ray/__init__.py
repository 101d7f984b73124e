"""Models on the NeuronCores of several machines. Ray is the engine; this package is thin over it (SPEC M1-M3).

>>> import neuron_adapters.ray
>>> neuron_adapters.ray.init()          # ray.init; a node that it starts declares this machine's NeuronCores
>>> model = neuron_adapters.ray.DataParallel("model.pt", neuron_cores=2)
>>> model(x)                            # in parts, on every node

Tasks and actors with ``resources={"neuron_cores": 2}`` need nothing of it but the import of an adapter.
"""

from __future__ import annotations

try:
    import ray as _ray  # noqa: F401 - the error below says what to install
except ModuleNotFoundError as error:
    if error.name != "ray":
        raise
    raise ImportError(
        "neuron_adapters.ray needs Ray, which is not installed: pip install 'neuron-adapters[ray]'"
    ) from error

from neuron_adapters.ray._init import init
from neuron_adapters.ray._parallel import DataParallel
from neuron_adapters.ray._replica import Replica

__all__ = ["DataParallel", "Replica", "init"]
