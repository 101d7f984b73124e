import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "wrapt":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
try:
    from neuron_adapters.mx import _hooks

    _hooks.install()
except ImportError as error:
    print(error)
assert "mx_neuron" not in sys.modules
import mxnet

from neuron_adapters.mx import _hooks

print(_hooks.install(), mxnet.neuron(2).start_nc)
