import sys

for name in ("torch", "tensorflow", "keras", "tf_keras", "mxnet", "numpy", "google"):
    sys.modules[name] = None
from neuron_adapters.tools.inspect import main

sys.exit(main(sys.argv[1:]))
