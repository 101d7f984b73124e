"""SPEC H: the hooks by contract, in processes of their own, over orders of import, install and remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., str]


def test_contract(script: Script) -> None:
    """SPEC H1, H2: signatures, docstrings, once, and all the way back."""
    assert script("hooks_contract.py") == "kept\n"


@pytest.mark.parametrize("first", ["tensorflow", "keras", "neuron_adapters.tf", "neuron_rt"])
def test_any_order_of_imports(script: Script, models: Path, first: str) -> None:
    """SPEC H1, C1: and variables that are set between import and load count."""
    assert script("any_order_of_imports.py", first, folder=models) == "3 load_model Sequential\n"


def test_it_imports_no_other_framework(script: Script) -> None:
    """SPEC H3."""
    snippet = """
import sys, neuron_adapters.tf
print([name for name in ("torch", "mxnet", "openvino") if name in sys.modules])
"""
    assert script(snippet) == "[]\n"


def test_without_tensorflow(script: Script) -> None:
    """SPEC H3: one ImportError that names the extra; the package itself works without."""
    said = script("without_tensorflow.py").splitlines()
    assert "pip install 'neuron-adapters[tf]'" in said[0]
    assert "has not started" in said[1]


@pytest.mark.parametrize("plugin", ["tensorflow_neuron", "tensorflow_neuronx"])
def test_the_real_plugin_has_precedence(script: Script, tmp_path: Path, plugin: str) -> None:
    """SPEC H4: the adapter steps aside and says so."""
    (tmp_path / f"{plugin}.py").write_text("trace = 'the real one'\n")
    said = script("the_real_plugin_has_precedence.py", plugin, folder=tmp_path).splitlines()
    assert said[0] == f"{plugin} is installed here: neuron_adapters.tf steps aside and hooks nothing"
    assert said[-1] == "the real one"


def test_what_is_not_placed_is_untouched(script: Script) -> None:
    """SPEC H2: a model that nobody loaded runs as ever, and takes no NeuronCores."""
    assert script("what_is_not_placed_is_untouched.py", imported=True) == "File not found\nInvalid filepath extension\n"


def test_one_process_two_frameworks(script: Script, models: Path) -> None:
    """SPEC R3, P1: PyTorch and Keras share one runtime; the next free NCs go on where the other stopped."""
    said = script("one_process_two_frameworks.py", folder=models, imported=True)
    assert said == "NC0-NC1 NC2-NC5 NC6-NC8 NC9-NC12\ntf torch tf torch\n"


@pytest.mark.parametrize("order", ["keras torch tf_keras", "tf_keras keras torch"])
def test_all_in_one_process(order: str, script: Script) -> None:
    """Both generations of Keras and PyTorch, in any order, in a forked child too: no warning, and right answers."""
    names = order.split()
    assert script("all_in_one_process.py", *names).splitlines() == [" ".join(reversed(names)), order]
