"""Where an executor goes: ``mx.neuron(i)`` starts it at visible NC i, or in group i (SPEC P3, C4)."""

from __future__ import annotations

from neuron_adapters.adapter.placement_rules import at_context_index
from neuron_adapters.mx._framework import FRAMEWORK, KIND
from neuron_adapters.mxnet.base import MXNetError
from neuron_adapters.mxnet.context import Context
from neuron_rt import Model, NotEnoughNeuronCoresError, PlacementRequest, Runtime, init


class NotEnoughCoresError(NotEnoughNeuronCoresError, MXNetError):
    """The same error of the runtime, which scripts for MXNet catch as MXNetError. Its ``status`` is 9."""


def new_model(name: str, cores: int, file: str = "") -> Model:
    """Create the runtime's model for a graph that needs ``cores`` NCs."""
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


def _where(runtime: Runtime, context: Context, need: int, beside: Model | None) -> PlacementRequest:
    if beside is not None and beside.slots:
        return PlacementRequest(beside.placement[0].start_nc)
    if context.device_type != "neuron":
        return PlacementRequest()
    return at_context_index(runtime.config, context.device_id, need, len(runtime.instance_ncs), "mx.neuron(i)")
