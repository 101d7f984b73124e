from neuron_adapters.torch.experimental import *
