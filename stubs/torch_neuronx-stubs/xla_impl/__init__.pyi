from neuron_adapters.torch.neuronx.xla_impl import *
