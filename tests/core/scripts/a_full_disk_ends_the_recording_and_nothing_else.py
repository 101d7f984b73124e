import logging
import resource
import signal

import neuron_rt

logging.basicConfig(format="%(message)s")
runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="python")
runtime.place(model)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for _ in range(500):
    model.run(int)
runtime.timeline.flush()
print(model.run(lambda: 42))
