"""Answers libraries that look for ``torch.device("neuron")``, which newer releases of torch_neuronx have, by
``torch.neuron.device_count()``. There is no such device here: models are compiled and loaded."""

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
    """Return at once: a model's call returns when its results are there."""
