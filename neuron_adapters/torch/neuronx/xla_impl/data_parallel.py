"""torch_neuronx.xla_impl.data_parallel."""

from __future__ import annotations

from neuron_adapters.torch._parallel import DataParallel

__all__ = ["DataParallel"]
