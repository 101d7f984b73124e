import os
import sys

import neuron_rt

try:
    neuron_rt.init()
except neuron_rt.NeuronConfigError as error:
    print(error)
del os.environ["NEURON_ADAPTERS_TRACE"]
print(len(neuron_rt.init().instance_ncs))
try:
    with neuron_rt.timeline(sys.argv[1]):
        pass
except OSError:
    print("refused")
