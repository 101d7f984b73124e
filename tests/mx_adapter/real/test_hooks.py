"""SPEC H: the hooks by contract, in processes of their own, over orders of import, install and remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., str]


def test_contract(script: Script) -> None:
    """SPEC H1, H2: signatures, docstrings, once, and all the way back."""
    assert script("hooks_contract.py") == "kept\n"


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
    assert script("any_order_of_imports.py", order) == "[[3.0, 3.0]] NC1 3\n"


def test_it_imports_no_framework(script: Script) -> None:
    """SPEC H3: and mx_neuron is there without mxnet."""
    assert script("it_imports_no_framework.py") == "[] True\n"


def test_this_package_by_the_name_of_mxnet(script: Script) -> None:
    """Scripts may know it as mxnet, where there is no other: then there is nothing to hook."""
    assert script("this_package_by_the_name_of_mxnet.py") == "True\n"


def test_without_wrapt(script: Script) -> None:
    """SPEC H3: one ImportError that names the extra; with mxnet imported first nothing is missing."""
    said = script("without_wrapt.py").splitlines()
    assert "pip install 'neuron-adapters[mx]'" in said[0]
    assert said[1] == "True 2"


def test_the_real_plugin_has_precedence(script: Script, tmp_path: Path) -> None:
    """SPEC H4: the adapter steps aside and says so."""
    (tmp_path / "mx_neuron.py").write_text("compile = 'the real one'\n")
    said = script("the_real_plugin_has_precedence.py", folder=tmp_path).splitlines()
    assert "mx_neuron is installed here: neuron_adapters.mx steps aside and hooks nothing" in said
    assert said[-1] == "the real one"


def test_what_was_bound_stays(script: Script) -> None:
    """SPEC H1: after uninstall, executors run where they are, and new ones are mxnet's."""
    assert script("what_was_bound_stays.py") == "[[3.0, 3.0]] NC1\nExecutor Executor\n"
