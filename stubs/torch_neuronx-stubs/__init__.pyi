# `torch_neuronx` is this module as soon as `neuron_adapters.torch` is imported, and under neuron-run.
from neuron_adapters.torch.neuronx import *
