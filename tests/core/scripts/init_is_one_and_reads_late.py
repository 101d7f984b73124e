import os
import warnings

import neuron_rt

os.environ["NEURON_RT_NUM_CORES"] = "lots"
try:
    neuron_rt.init()
except neuron_rt.NeuronConfigError as error:
    assert "lots" in str(error)
os.environ["NEURON_RT_NUM_CORES"] = "2"
runtime = neuron_rt.init()
assert runtime is neuron_rt.init() is neuron_rt.current()
assert runtime.instance_ncs == (0, 1)
os.environ["NEURON_RT_NUM_CORES"] = "3"
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(3):
        runtime.place(neuron_rt.Model("m", 1, neuron_rt.PlainFramework(), kind="plain"))
assert len(said) == 1, said
assert "'2'" in str(said[0].message), said
assert "'3'" in str(said[0].message), said
assert runtime.instance_ncs == (0, 1)
runtime.close()
assert neuron_rt.current() is None
assert neuron_rt.init().instance_ncs == (0, 1, 2)
