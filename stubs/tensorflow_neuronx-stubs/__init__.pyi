# `tensorflow_neuronx` is this module as soon as `neuron_adapters.tf` is imported, and under neuron-run.
from neuron_adapters.tf import *
