from neuron_adapters.tf.graph_util import *
