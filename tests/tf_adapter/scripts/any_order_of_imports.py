import importlib
import sys

importlib.import_module(sys.argv[1])
import neuron_adapters.tf
import tensorflow as tf
import neuron_adapters
import os

os.environ["NEURON_RT_NUM_CORES"] = "3"
model = tf.keras.models.load_model("plain.keras")
print(len(neuron_adapters.describe().instance_ncs), tf.keras.models.load_model.__name__, type(model).__name__)
