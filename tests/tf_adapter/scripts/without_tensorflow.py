import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")


sys.meta_path.insert(0, Missing())
import neuron_adapters

try:
    import neuron_adapters.tf
except ImportError as error:
    print(error)
print(neuron_adapters.describe())
