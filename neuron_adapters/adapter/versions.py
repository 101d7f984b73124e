"""What the plug-ins and compilers of the time called themselves, with this package's mark: said by the adapters'
``__version__`` and, under ``neuron-run``, by ``importlib.metadata``."""

from __future__ import annotations

TORCH_NEURON = "1.13.1+neuron.adapters"
TORCH_NEURONX = "2.1.2+neuron.adapters"
TENSORFLOW_NEURON = "2.10.1+neuron.adapters"
MX_NEURON = "1.8.0+neuron.adapters"
NEURON_CC = "1.24.0+neuron.adapters"
NEURONX_CC = "2.15.0+neuron.adapters"
