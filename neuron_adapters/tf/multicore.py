"""``tensorflow.neuron.multicore``: the module that has ``auto_multicore`` in tensorflow-neuron."""

from neuron_adapters.tf._compile import auto_multicore

__all__ = ["auto_multicore"]
