"""What scripts look up, in the ways in which they do, before and after the framework is there."""

import importlib
from importlib import metadata
import importlib.util
import sys
import contextlib

for name in ("torch_neuron", "torch_neuronx", "tensorflow_neuron", "mx_neuron", "mxnet"):
    assert importlib.util.find_spec(name) is not None, name
assert importlib.util.find_spec("torch_neuronium") is None
assert not {"torch", "tensorflow", "keras", "numpy", "neuron_adapters.torch"} & set(sys.modules), "nothing is imported"

for name in (
    "torch-neuron",
    "torch_neuron",
    "Torch.Neuron",
    "torch-neuronx",
    "tensorflow-neuron",
    "mx_neuron",
    "neuron-cc",
    "neuronx-cc",
):
    version = metadata.version(name)
    assert version[0].isdigit(), (name, version)
    assert version.endswith("+neuron.adapters"), (name, version)
assert metadata.metadata("torch-neuron")["Name"] == "torch-neuron"
assert metadata.distribution("mx-neuron").files is None
assert not list(metadata.distribution("mx-neuron").entry_points)
names = [distribution.metadata["Name"] for distribution in metadata.distributions()]
assert names.count("torch-neuron") == 1, names
assert "torch" in names, names
assert not list(metadata.distributions(path=["/"])), "a folder has what is in it"
with contextlib.suppress(metadata.PackageNotFoundError):
    metadata.version("torch-neuronium")

import mxnet as mx
import mxnet.gluon.nn
import mxnet.ndarray
import mxnet.random
import neuron_adapters.mx
from mxnet import gluon
from mxnet.contrib import neuron
from mxnet.module import Module

assert mx is neuron_adapters.mx is sys.modules["mxnet"]
assert mx.__version__.startswith("1.")
assert mx.mod.Module is Module
assert gluon is mx.gluon is neuron_adapters.mx.gluon
ours = [(name, "neuron_adapters.mx" + name[5:]) for name in sys.modules if name.startswith("mxnet")]
copies = [name for name, own in ours if sys.modules.get(own, sys.modules[name]) is not sys.modules[name]]
assert len(ours) > 5, copies
assert not copies, copies
for name in ("mxnet.nothing", "mxnet.gluon.nothing", "mxnet.base.nothing"):
    try:
        importlib.import_module(name)
        raise AssertionError(name)
    except ModuleNotFoundError as error:
        assert str(error).startswith(f"{name.replace('mxnet', 'mx')} is not in this package"), error
        assert error.name is None, "else Python drops it in: from mxnet import nothing"
import mx_neuron

assert mx_neuron.compile
assert mx_neuron.__version__ == metadata.version("mx-neuron")
assert "torch" not in sys.modules
assert "tensorflow" not in sys.modules

import torch

hooked = torch.jit.load
assert "neuron_adapters" in hooked.__code__.co_filename, "an import is enough"
assert type(torch.__spec__.loader).__name__ == "SourceFileLoader"
assert "exec_module" not in vars(torch.__spec__.loader)
import torch.neuron
import torch.neuron.experimental
from torch_neuron import experimental
import torch_neuron
import torch_neuronx.experimental
from torch_neuron import DataParallel, trace
from torch_neuronx import PartitionerConfig, replace_weights
from torch_neuronx.experimental import profiler
from torch_neuronx.xla_impl.trace import trace as trace_of_xla
import torch_neuronx.xla_impl.data_parallel

assert torch.neuron is torch_neuron
assert torch.jit.load is hooked
assert experimental is torch.neuron.experimental
assert torch_neuron.__version__ == metadata.version("torch-neuron")
assert torch_neuronx.__version__ == metadata.version("torch-neuronx")
assert replace_weights.__module__ == "neuron_adapters.torch.neuronx"
assert trace_of_xla is torch_neuronx.trace
assert torch_neuronx.xla_impl.data_parallel.DataParallel is torch_neuronx.DataParallel is DataParallel
assert torch_neuronx.experimental.profiler.profile is profiler.profile

assert torch.neuron.is_available()
assert torch.neuron.synchronize() is None
assert not torch.neuron.is_bf16_supported()
try:  # how libraries look for a device of that name
    torch.neuron.device_count()
    raise AssertionError
except RuntimeError as error:
    assert "no torch device 'neuron'" in str(error)

# torch.load of a TorchScript archive, as it was; and of everything else, as it is.
import io
import inspect
import warnings

import neuron_adapters

warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning)
x = torch.rand(1, 3)
net = torch.nn.Linear(3, 2).eval()
torch.jit.trace(net, x).save("plain.pt")
torch.neuron.trace(net, x, compiler_args=["--neuroncore-pipeline-cores", "3"]).save("compiled.pt")
with open("compiled.pt", "rb") as file:
    opened, buffer = io.BytesIO(file.read()), "rest"
models = [
    torch.load("plain.pt"),
    torch.load("compiled.pt"),
    torch.load(opened),
    torch.load("plain.pt", "cpu", weights_only=False),
]
assert [neuron_adapters.placement(model)[0].nc_count for model in models] == [1, 3, 3, 1]
assert all(torch.allclose(model(x), net(x), rtol=1e-3, atol=1e-4) for model in models)
torch.save({"w": x}, "weights.pt")
assert torch.equal(torch.load("weights.pt")["w"], x)
with open("weights.pt", "rb") as file:
    assert torch.equal(torch.load(file, map_location="cpu", weights_only=True)["w"], x)
torch.save(net, "module.pt")
assert isinstance(torch.load("module.pt", weights_only=False), torch.nn.Linear)
for wrong, kind in [
    (("module.pt",), "UnpicklingError"),
    (("none.pt",), "FileNotFoundError"),
    ((object(),), "AttributeError"),
]:
    try:
        torch.load(*wrong)
        raise AssertionError(wrong)
    except Exception as error:
        assert type(error).__name__ == kind, error
with open("damaged.pt", "wb") as file:
    file.write(b"PK\x03\x04" + bytes(100))
for weights_only in (None, True):
    try:
        torch.load("plain.pt" if weights_only else "damaged.pt", weights_only=weights_only)
        raise AssertionError
    except (RuntimeError, UserWarning):
        pass
assert list(inspect.signature(torch.load).parameters)[:3] == ["f", "map_location", "pickle_module"]
torch.neuron.uninstall()
assert torch.load is torch.serialization.load
assert "neuron_adapters" not in torch.load.__code__.co_filename
print("all found")
