import os

import neuron_rt

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
runtime = neuron_rt.init()
assert {cpu for nc in range(len(runtime.instance_ncs)) for cpu in runtime.cpus(nc)} == os.sched_getaffinity(0)
model = neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain")
runtime.place(model, neuron_rt.Place(1))
assert model.run(os.sched_getaffinity, 0) == os.sched_getaffinity(0)
