from neuron_adapters.torch.neuronx.experimental import *
