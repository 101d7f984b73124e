"""Where an executor goes: ``mx.neuron(i)`` starts it at visible NC i, or in group i (SPEC P3, C4)."""

from __future__ import annotations

from neuron_adapters.mx.base import MXNetError
from neuron_adapters.mx.context import Context
from neuron_rt import Model, NeuronConfigError, NotEnoughNeuronCoresError, Place, PlainFramework, Runtime, init

#: Nothing of ours computes in threads that would have to be held back.
FRAMEWORK = PlainFramework()
KIND = "mx"


class NotEnoughCoresError(NotEnoughNeuronCoresError, MXNetError):
    """The same error of the runtime, which scripts for MXNet catch as MXNetError. Its ``status`` is 9."""


def new_model(name: str, cores: int, file: str = "") -> Model:
    """The runtime's model for a graph that needs ``cores`` NCs."""
    return Model(name, cores, FRAMEWORK, kind=KIND, file=file)


def place(model: Model, context: Context, beside: Model | None = None) -> None:
    """Give ``model`` the NCs that ``context`` names; the runtime chooses where that is a CPU (SPEC P1, P2). ``beside``:
    those of another model instead.

    Raises NotEnoughCoresError where they don't suffice.
    """
    runtime = init()
    try:
        runtime.place(model, _where(runtime, context, model.nc_count, beside))
    except NotEnoughCoresError:
        raise
    except NotEnoughNeuronCoresError as error:
        raise NotEnoughCoresError(str(error), **vars(error)) from None


def _where(runtime: Runtime, context: Context, need: int, beside: Model | None) -> Place:
    if beside is not None and beside.slots:
        return Place(beside.placement[0].start_nc)
    return Place() if context.device_type != "neuron" else Place(_start(runtime, context, need))


def _start(runtime: Runtime, context: Context, need: int) -> int:
    """The visible NC that ``context`` means."""
    index, config = context.device_id, runtime.config
    sizes = config.environ.get("NEURONCORE_GROUP_SIZES")
    if sizes is None:
        return index
    if "NEURON_RT_VISIBLE_CORES" in config.environ:
        raise NeuronConfigError.of(
            "NEURONCORE_GROUP_SIZES", sizes,
            "is set together with NEURON_RT_VISIBLE_CORES, and mx.neuron(i) cannot mean a group and an NC",
            "one of the two variables",
        )  # fmt: skip
    if index >= len(config.groups) or need > config.groups[index].size:
        has = (
            f"group {index} has {config.groups[index].size}" if index < len(config.groups)
            else f"there are {len(config.groups)} groups, counted from 0"
        )  # fmt: skip
        raise NotEnoughCoresError(
            f"Not enough NeuronCores (NRT status 9): the model needs {need} consecutive NC(s) in group {index} of "
            f"NEURONCORE_GROUP_SIZES={sizes}, and {has}. Form larger groups, or unset the variable: mx.neuron(i) is "
            "the NC at which a model starts then.",
            need=need, start=index, visible=len(runtime.instance_ncs),
        )  # fmt: skip
    return config.groups[index].start
