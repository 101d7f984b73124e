"""Keras 3, Keras 2 and PyTorch in one process, imported and used in the order of ``argv``; a child that was forked
before anything ran uses them in the other order. Each answers as without the adapters."""

import warnings

warnings.filterwarnings("ignore", r"`torch.jit.*", DeprecationWarning)
import importlib
import os
import sys

os.environ["NEURON_RT_NUM_CORES"] = "4"
modules = {name: importlib.import_module(name) for name in sys.argv[1:]}
import numpy as np

import neuron_adapters
import neuron_adapters.tf
import neuron_adapters.torch

x = np.random.default_rng(0).random((2, 4), dtype="f4")


def use_keras(kind):
    net = kind.Sequential([kind.layers.Input((4,)), kind.layers.Dense(3)])
    net.save(f"{kind.__name__}{os.getpid()}.keras")
    model = kind.models.load_model(f"{kind.__name__}{os.getpid()}.keras")
    assert isinstance(model, kind.Model)
    yield model
    for _ in range(2):
        np.testing.assert_array_equal(model(x), net(x))
    np.testing.assert_allclose(model.predict(x, verbose=0), net(x), rtol=1e-6)
    model.add(kind.layers.Softmax())
    np.testing.assert_allclose(np.sum(model(x), 1), 1.0, rtol=1e-6)
    compiled = neuron_adapters.tf.trace(net, x)
    np.testing.assert_allclose(compiled(x), net(x), rtol=1e-3, atol=1e-4)


def use_torch(torch):
    net = torch.nn.Linear(4, 3).eval()
    torch.jit.trace(net, torch.from_numpy(x)).save(f"torch{os.getpid()}.pt")
    model = torch.jit.load(f"torch{os.getpid()}.pt")
    yield model
    with torch.inference_mode():
        np.testing.assert_allclose(model(torch.from_numpy(x)), net(torch.from_numpy(x)), rtol=1e-5)


def use(names):
    """Load a model with each, then use each."""
    uses = [use_torch(modules[name]) if name == "torch" else use_keras(modules[name]) for name in names]
    models = [next(each) for each in uses]
    assert all(neuron_adapters.placement(model) for model in models)
    for each in uses:
        assert list(each) == []
    assert {model.kind for model in neuron_adapters.describe().models} == {"tf", "torch"}
    print(*names, flush=True)


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    child = os.fork()
if not child:
    use(sys.argv[:0:-1])
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
use(sys.argv[1:])
