from neuron_adapters.tf.saved_model import *
