import atexit

import neuron_rt

atexit.register(lambda: print("answer", model.run(lambda: 42)))
runtime = neuron_rt.init()
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime.place(model)
