import logging
import sys

logging.basicConfig(stream=sys.stdout, format="%(message)s")
import mxnet

bind = mxnet.sym.Symbol.bind
from neuron_adapters.mx import _hooks

assert not _hooks.install()
assert mxnet.sym.Symbol.bind is bind
import mx_neuron

print(mx_neuron.compile)
