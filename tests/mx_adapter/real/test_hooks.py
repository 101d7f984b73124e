"""SPEC H: the hooks by contract, in processes of their own, over orders of import, install and remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., str]

CONTRACT = """
import inspect, sys, mxnet as mx
from mxnet.symbol import load as bound_before
names = [(mx.sym, "load"), (mx.sym, "load_json"), (mx.symbol.symbol, "load"), (mx.sym.Symbol, "bind"),
         (mx.sym.Symbol, "simple_bind"), (mx.sym.Symbol, "eval"), (mx.mod.Module, "bind"),
         (mx.module.executor_group.DataParallelExecutorGroup, "forward"),
         (mx.gluon.HybridBlock, "_build_cache"), (mx.gluon.HybridBlock, "forward"), (mx.gluon.Parameter, "set_data"), (mx.gluon.Parameter, "_init_impl"),
         (mx.gluon.SymbolBlock, "imports")]
before = [getattr(owner, name) for owner, name in names]
modules = set(sys.modules)
from neuron_adapters.mx import _hooks
_hooks.install()
for (owner, name), old in zip(names, before):
    new = getattr(owner, name)
    assert new is not old, name
    assert inspect.signature(new) == inspect.signature(old), name
    assert (new.__doc__, new.__name__, new.__qualname__, new.__module__) == (
        old.__doc__, old.__name__, old.__qualname__, old.__module__), name
hooked = mx.sym.load
assert bound_before is hooked and mx.symbol.load is hooked and mx.sym.Symbol.bind is not before[3]
assert _hooks.install() and mx.sym.load is hooked, "twice counts once"
import mx_neuron, mxnet.contrib.neuron
from mxnet.contrib import neuron
assert neuron is mx_neuron is mxnet.contrib.neuron
_hooks.uninstall()
_hooks.uninstall()
for (owner, name), old in zip(names, before):
    assert getattr(owner, name) is old, name
assert bound_before is mx.sym.load and "imports" in vars(mx.gluon.SymbolBlock)
assert isinstance(vars(mx.gluon.SymbolBlock)["imports"], staticmethod)
assert not hasattr(mx, "neuron") and not hasattr(mx.context, "neuron") and not hasattr(mx.contrib, "neuron")
assert "mx_neuron" not in sys.modules and "mxnet.contrib.neuron" not in sys.modules
_hooks.install()
assert mx.sym.load is not before[0] and mx.neuron(1).start_nc == 1
print("kept")
"""


def test_contract(script: Script) -> None:
    """SPEC H1, H2: signatures, docstrings, once, and all the way back."""
    assert script(CONTRACT) == "kept\n"


ORDERS = {
    "mxnet first": "import mxnet; from neuron_adapters.mx import _hooks; _hooks.install()",
    "mxnet last": "from neuron_adapters.mx import _hooks; _hooks.install(); import mxnet",
    "a submodule": "from neuron_adapters.mx import _hooks; _hooks.install(); from mxnet.gluon import nn",
    "removed between": "from neuron_adapters.mx import _hooks; _hooks.install(); _hooks.uninstall(); _hooks.install(); import mxnet",
    "removed before": "from neuron_adapters.mx import _hooks; _hooks.install(); _hooks.uninstall(); import mxnet; assert not hasattr(mxnet, 'neuron'); _hooks.install()",
    "the runtime first": "import neuron_rt; import mxnet; from neuron_adapters.mx import _hooks; _hooks.install()",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_any_order_of_imports(script: Script, order: str) -> None:
    """SPEC H1, C1: and variables that are set between import and bind count."""
    snippet = """
import os, neuron_adapters, mxnet as mx, mx_neuron
os.environ["NEURON_RT_NUM_CORES"] = "3"
symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
executor = symbol.bind(mx.neuron(1), {"data": mx.nd.ones((1, 3)), "fc_weight": mx.nd.ones((2, 3))}, grad_req="null")
print(executor.forward()[0].asnumpy().tolist(), *neuron_adapters.placement(executor), len(neuron_adapters.describe().instance_ncs))
"""
    assert script(order + snippet) == "[[3.0, 3.0]] NC1 3\n"


def test_it_imports_no_framework(script: Script) -> None:
    """SPEC H3: and mx_neuron is there without mxnet."""
    snippet = """
import sys
from neuron_adapters.mx import _hooks
_hooks.install()
import mx_neuron
print([name for name in ("mxnet", "torch", "tensorflow", "openvino", "onnx") if name in sys.modules], callable(mx_neuron.compile))
"""
    assert script(snippet) == "[] True\n"


def test_this_package_by_the_name_of_mxnet(script: Script) -> None:
    """Scripts may know it as mxnet, where there is no other: then there is nothing to hook."""
    snippet = """
import sys, neuron_adapters.mx as mx
sys.modules["mxnet"] = mx
from neuron_adapters.mx import _hooks
import mxnet, mx_neuron
symbol = mxnet.sym.FullyConnected(mxnet.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
args = {"fc_weight": mxnet.nd.ones((2, 3))}
made, _args, _aux = mx_neuron.compile(symbol, args, {}, {"data": mxnet.nd.ones((1, 3))})
print(type(made) is mx.sym.Symbol)
"""
    head = "from neuron_adapters.mx import _hooks; _hooks.install(); _hooks.uninstall()"
    assert script(head + snippet.replace("import mxnet, mx", "assert _hooks.install()\nimport mxnet, mx")) == "True\n"


MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def test_without_wrapt(script: Script) -> None:
    """SPEC H3: one ImportError that names the extra; with mxnet imported first nothing is missing."""
    snippet = """
try:
    from neuron_adapters.mx import _hooks
    _hooks.install()
except ImportError as error:
    print(error)
assert "mx_neuron" not in sys.modules
import mxnet
from neuron_adapters.mx import _hooks
print(_hooks.install(), mxnet.neuron(2).start_nc)
"""
    said = script(MISSING.format(names={"wrapt"}) + snippet).splitlines()
    assert "pip install 'neuron-adapters[mx]'" in said[0] and said[1] == "True 2"


def test_the_real_plugin_has_precedence(script: Script, tmp_path: Path) -> None:
    """SPEC H4: the adapter steps aside and says so."""
    (tmp_path / "mx_neuron.py").write_text("compile = 'the real one'\n")
    snippet = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import mxnet
bind = mxnet.sym.Symbol.bind
from neuron_adapters.mx import _hooks
assert not _hooks.install() and mxnet.sym.Symbol.bind is bind
import mx_neuron
print(mx_neuron.compile)
"""
    said = script(snippet, folder=tmp_path).splitlines()
    assert "mx_neuron is installed here: neuron_adapters.mx steps aside and hooks nothing" in said
    assert said[-1] == "the real one"


def test_what_was_bound_stays(script: Script) -> None:
    """SPEC H1: after uninstall, executors run where they are, and new ones are mxnet's."""
    snippet = """
import mxnet as mx, neuron_adapters
from neuron_adapters.mx import _hooks
_hooks.install()
symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
args = {"data": mx.nd.ones((1, 3)), "fc_weight": mx.nd.ones((2, 3))}
context = mx.neuron(1)
executor = symbol.bind(context, args, grad_req="null")
_hooks.uninstall()
print(executor.forward()[0].asnumpy().tolist(), *neuron_adapters.placement(executor))
print(type(symbol.bind(mx.cpu(), args, grad_req="null")).__name__, type(symbol.bind(context, args, grad_req="null")).__name__)
"""
    assert script(snippet) == "[[3.0, 3.0]] NC1\nExecutor Executor\n"
