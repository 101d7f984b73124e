import sys

before = set(sys.modules)
from neuron_adapters.tools import ls

ls.main(["-j"])
heavy = {name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names}
print(*sorted(heavy - before), file=sys.stderr)
