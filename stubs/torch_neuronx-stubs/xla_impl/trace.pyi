from neuron_adapters.torch.neuronx.xla_impl.trace import *
