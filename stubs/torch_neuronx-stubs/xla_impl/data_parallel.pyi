from neuron_adapters.torch.neuronx.xla_impl.data_parallel import *
