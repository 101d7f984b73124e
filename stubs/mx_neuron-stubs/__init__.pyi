# `mx_neuron` is this module as soon as `neuron_adapters.mx` is imported, and under neuron-run.
from neuron_adapters.mx._plugin import *
