from neuron_adapters.tf.predictor import *
