import sys

before = set(sys.modules)
from neuron_adapters.tools import doctor

doctor.main([])
heavy = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(heavy))
import neuron_rt

print(neuron_rt.current())
