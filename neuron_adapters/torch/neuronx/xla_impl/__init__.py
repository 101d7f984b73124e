"""torch_neuronx.xla_impl, as far as programs import from it: the trace and DataParallel."""

from __future__ import annotations

from neuron_adapters.torch.neuronx.xla_impl import data_parallel, trace

__all__ = ["data_parallel", "trace"]
