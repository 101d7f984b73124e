"""Newer releases of torch_neuronx have a torch device, ``torch.device("neuron")``, and libraries probe for it by
``torch.neuron.device_count()``. There is none here: models are compiled and loaded."""

from __future__ import annotations

from typing import NoReturn


def device_count() -> NoReturn:
    """Refused: raises RuntimeError, which libraries take for "no such device"."""
    raise RuntimeError(
        "There is no torch device 'neuron' here: compile models with torch.neuron.trace() and load them with "
        "torch.jit.load(). torch.classes.neuron.Runtime().get_visible_nc_count() counts NeuronCores."
    )


def is_bf16_supported() -> bool:
    """False: there is no such device."""
    return False


def synchronize() -> None:
    """Nothing to wait for: a model's call returns when its results are there."""
