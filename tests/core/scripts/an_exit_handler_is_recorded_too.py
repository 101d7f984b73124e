import atexit
import os

import neuron_rt

runtime = neuron_rt.init()
model = neuron_rt.Model("late", 1, neuron_rt.PlainFramework(), kind="python")
atexit.register(lambda: model.run(int))
runtime.place(model)
model.run(int)
if not os.fork():
    os._exit(0)
os.wait()
