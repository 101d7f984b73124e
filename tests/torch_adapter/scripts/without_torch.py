import sys

sys.modules["torch"] = None
import neuron_adapters

print(neuron_adapters.describe())
import neuron_adapters.torch
