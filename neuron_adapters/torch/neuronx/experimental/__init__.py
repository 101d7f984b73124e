"""torch_neuronx.experimental: core placement, as in torch.neuron.experimental, and the profiler."""

from __future__ import annotations

from neuron_adapters.torch.experimental import (
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)
from neuron_adapters.torch.neuronx.experimental import profiler

__all__ = ["multicore_context", "neuron_cores_context", "profiler", "set_multicore", "set_neuron_cores"]
