import mxnet as mx
import mx_neuron
from mxnet.contrib import neuron

import mxnet.gluon
import warnings

warnings.simplefilter("ignore")
import pkg_resources

assert pkg_resources.get_distribution("mx_neuron").version == mx_neuron.__version__
pkg_resources.require("torch-neuron>=1.5")
print(mx.__name__, mx.neuron(2).start_nc, neuron is mx_neuron, mx.gluon.__name__, mx_neuron.__version__)
