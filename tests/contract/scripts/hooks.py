import warnings

import importlib
import sys

warnings.simplefilter("default")
adapter, plugin = importlib.import_module(sys.argv[1]), sys.argv[2]
assert adapter.install() and adapter.install() and plugin in sys.modules
adapter.uninstall()
adapter.uninstall()
assert plugin not in sys.modules
assert adapter.install() and plugin in sys.modules
