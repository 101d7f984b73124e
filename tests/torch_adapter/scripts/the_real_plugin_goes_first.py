"""FOLDER NAME IMPORTED: a plug-in of that name in a folder, imported before the adapter or not."""

import importlib
import logging
import sys
import torch

folder, name, imported = sys.argv[1:]
sys.path.insert(0, folder)
logging.basicConfig(stream=sys.stdout, format="%(message)s")
before = torch.jit.load
if imported == "True":
    importlib.import_module(name)
import neuron_adapters.torch

plugin = importlib.import_module(name)
assert torch.jit.load is before
assert plugin.real
assert not hasattr(torch, "neuron")
