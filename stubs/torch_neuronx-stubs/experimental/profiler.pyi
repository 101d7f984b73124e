from neuron_adapters.torch.neuronx.experimental.profiler import *
