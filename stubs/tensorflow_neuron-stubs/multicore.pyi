from neuron_adapters.tf.multicore import *
