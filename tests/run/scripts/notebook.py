"""Cells of a notebook, and whether a child process is served."""

import os
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
cells = [
    "import torch",
    "%load_ext neuron_adapters",
    "%reload_ext neuron_adapters",
    "import sys, torch.neuron, torch_neuron, mxnet as mx, mx_neuron, neuron_adapters",
    "import importlib.metadata; importlib.metadata.version('torch-neuron')",
    "torch.jit.trace(torch.nn.Linear(3, 2), torch.ones(1, 3)).save('m.pt'); model = torch.jit.load('m.pt')",
    "assert neuron_adapters.placement(model)",
    "answer = !{sys.executable} -c 'import mx_neuron; print(mx_neuron.__version__)'",
    "assert answer == [mx_neuron.__version__], answer",
]
for cell in cells:
    result = shell.run_cell(cell)
    result.raise_error()
print("served", [entry for entry in sys.path if "_site" in entry and "neuron" in entry])
