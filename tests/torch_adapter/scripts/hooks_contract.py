import inspect
import sys
import torch
import torch.export
from torch.jit import load as bound_before

names = [
    (torch.jit, "load"),
    (torch.jit, "freeze"),
    (torch.jit, "optimize_for_inference"),
    (torch.export, "load"),
    (torch.export, "save"),
    (torch.export.ExportedProgram, "module"),
]
script_module = torch.jit._script.RecursiveScriptModule
before = {f"{owner.__name__}.{name}": getattr(owner, name) for owner, name in names}
copies = script_module.__copy__, script_module.__deepcopy__
modules = {name for name in sys.modules if "neuron" in name}
import neuron_adapters.torch
import neuron_adapters.torch as again

for owner, name in names:
    old, new = before[f"{owner.__name__}.{name}"], getattr(owner, name)
    assert new is not old, name
    assert inspect.signature(new) == inspect.signature(old), name
    assert (new.__doc__, new.__name__, new.__qualname__, new.__module__) == (
        old.__doc__,
        old.__name__,
        old.__qualname__,
        old.__module__,
    ), name
assert bound_before is torch.jit.load, "names bound before are hooked too"
hooked = torch.jit.load
assert again.install(), "twice counts once"
assert torch.jit.load is hooked, "twice counts once"
import torch.neuron
import torch_neuron
import torch_neuronx
import torch.neuron.experimental
import torch_neuron.experimental
from torch_neuron import DataParallel

assert torch.neuron is torch_neuron is neuron_adapters.torch
assert torch.classes.neuron.Runtime
again.uninstall()
again.uninstall()
for owner, name in names:
    assert getattr(owner, name) is before[f"{owner.__name__}.{name}"], name
assert (script_module.__copy__, script_module.__deepcopy__) == copies
assert bound_before is torch.jit.load
assert not hasattr(torch, "neuron")
assert not {"torch.neuron", "torch_neuron", "torch_neuronx"} & set(sys.modules)
again.install()
assert torch.jit.load is hooked
assert torch.neuron is again
print("kept")
