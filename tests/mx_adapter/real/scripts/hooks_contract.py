import inspect
import sys
import mxnet as mx
from mxnet.symbol import load as bound_before

names = [
    (mx.sym, "load"),
    (mx.sym, "load_json"),
    (mx.symbol.symbol, "load"),
    (mx.sym.Symbol, "bind"),
    (mx.sym.Symbol, "simple_bind"),
    (mx.sym.Symbol, "eval"),
    (mx.mod.Module, "bind"),
    (mx.module.executor_group.DataParallelExecutorGroup, "forward"),
    (mx.gluon.HybridBlock, "_build_cache"),
    (mx.gluon.HybridBlock, "forward"),
    (mx.gluon.Parameter, "set_data"),
    (mx.gluon.Parameter, "_init_impl"),
    (mx.gluon.SymbolBlock, "imports"),
]
before = [getattr(owner, name) for owner, name in names]
modules = set(sys.modules)
from neuron_adapters.mx import _hooks

_hooks.install()
for (owner, name), old in zip(names, before):
    new = getattr(owner, name)
    assert new is not old, name
    assert inspect.signature(new) == inspect.signature(old), name
    assert (new.__doc__, new.__name__, new.__qualname__, new.__module__) == (
        old.__doc__,
        old.__name__,
        old.__qualname__,
        old.__module__,
    ), name
hooked = mx.sym.load
assert bound_before is hooked
assert mx.symbol.load is hooked
assert mx.sym.Symbol.bind is not before[3]
assert _hooks.install(), "twice counts once"
assert mx.sym.load is hooked, "twice counts once"
import mx_neuron
import mxnet.contrib.neuron
from mxnet.contrib import neuron

assert neuron is mx_neuron is mxnet.contrib.neuron
_hooks.uninstall()
_hooks.uninstall()
for (owner, name), old in zip(names, before):
    assert getattr(owner, name) is old, name
assert bound_before is mx.sym.load
assert "imports" in vars(mx.gluon.SymbolBlock)
assert isinstance(vars(mx.gluon.SymbolBlock)["imports"], staticmethod)
assert not hasattr(mx, "neuron")
assert not hasattr(mx.context, "neuron")
assert not hasattr(mx.contrib, "neuron")
assert "mx_neuron" not in sys.modules
assert "mxnet.contrib.neuron" not in sys.modules
_hooks.install()
assert mx.sym.load is not before[0]
assert mx.neuron(1).start_nc == 1
print("kept")
