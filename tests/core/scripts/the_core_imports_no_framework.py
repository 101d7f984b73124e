import sys

import neuron_rt

neuron_rt.init()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "tensorflow", "keras", "mxnet", "numpy"}))
