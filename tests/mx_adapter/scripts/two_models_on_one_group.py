import sys

sys.argv[1:] = ["model0:0", "model0:0"]
from loads import models, pixels

import neuron_adapters

for _ in range(3):
    for model in models:
        model.forward(data=pixels)
print(sum(model.switches for model in neuron_adapters.describe().models) >= 5)
