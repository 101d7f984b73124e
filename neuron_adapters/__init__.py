"""neuron-adapters runs programs written for AWS Neuron, unchanged, on any Linux machine without Neuron hardware: the
models that they load are placed on emulated NeuronCores, which are your CPUs, and run there side by side.

``import neuron_adapters.torch`` hooks ``torch.jit.load``. This package itself imports no framework; here is what serves
all of them:

>>> import neuron_adapters
>>> neuron_adapters.placement(model)        # where is it?
>>> print(neuron_adapters.describe())       # where is everything?
>>> neuron_adapters.unload(model)           # free its place
>>> with neuron_adapters.timeline("run.json"):   # who runs when? A picture for Perfetto
...     model(x)
"""

from __future__ import annotations

from neuron_adapters import adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from neuron_rt import CoreRange, Layout, __version__, timeline

__all__ = ["CoreRange", "Layout", "__version__", "describe", "placement", "timeline", "unload"]

adapter.HOSTS["ray._raylet"] = "neuron_adapters.ray.worker"


def placement(model: object) -> tuple[CoreRange, ...]:
    """Where ``model`` is: one CoreRange a replica, whichever framework loaded it (SPEC P7).

    The empty tuple for what is not placed: never loaded through an adapter, unloaded, or compiled but not yet called.
    """
    from neuron_adapters.adapter.placed import model_of

    known = model_of(model)
    return () if known is None else known.placement


def describe() -> Layout:
    """The layout of this whole process (SPEC P7); printed, it is a table and a bar of NeuronCores, and
    in a worker of Ray the node and the actor. Takes nothing."""
    from neuron_adapters.adapter import hosts
    from neuron_rt import Layout, current

    return Layout.of(current(), "".join(host.where() for host in hosts()))


def unload(model: object) -> None:
    """Free the place of ``model`` for the next one (SPEC P6). Calling it afterwards raises ModelNotLoadedError.

    Harmless on a model that is not placed. Raises TypeError for what no adapter has loaded.
    """
    from neuron_adapters.adapter.placed import model_of

    known = model_of(model)
    if known is None:
        raise TypeError(f"unload() takes a model that an adapter has loaded, got {type(model).__name__}")
    known.release()


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext neuron_adapters``: in this notebook, and in processes that it starts, import names and hooks are as
    under ``neuron-run``."""
    from neuron_adapters.run import activate_notebook

    activate_notebook(shell)


def __getattr__(name: str) -> Any:
    # The runtime is imported when it is asked for: every Python process under neuron-run imports this package.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import neuron_rt

    value = globals()[name] = getattr(neuron_rt, name)
    return value
