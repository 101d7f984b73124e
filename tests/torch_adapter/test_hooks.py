"""SPEC H: the hooks by contract, in processes of their own, over orders of import, install and remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from neuron_adapters.adapter.hooks import Patches

Script = Callable[..., str]


def test_contract(script: Script) -> None:
    """SPEC H1, H2: signatures, docstrings, once, and all the way back."""
    assert script("hooks_contract.py") == "kept\n"


@pytest.mark.parametrize("first", ["torch", "neuron_adapters.torch", "neuron_adapters", "neuron_rt"])
def test_any_order_of_imports(script: Script, models: Path, first: str) -> None:
    """SPEC H1, C1: and variables that are set between import and load count."""
    assert script("any_order_of_imports.py", first, folder=models) == "3 load\n"


def test_it_imports_no_other_framework(script: Script) -> None:
    """SPEC H3."""
    snippet = """
import sys, neuron_adapters.torch
print([name for name in ("tensorflow", "keras", "mxnet") if name in sys.modules])
"""
    assert script(snippet) == "[]\n"


def test_without_torch(script: Script) -> None:
    """SPEC H3: one ImportError that names the extra; the package itself works without."""
    out = script("without_torch.py", code=1)
    assert "has not started" in out
    assert "ImportError: neuron_adapters.torch needs PyTorch" in out
    assert "pip install 'neuron-adapters[torch]'" in out


def test_a_broken_torch_shows_its_own_error(script: Script, tmp_path: Path) -> None:
    """A torch.py beside the script is the user's trouble, and is shown as what it is."""
    (tmp_path / "torch.py").write_text("raise RuntimeError('I am no framework')\n")
    snippet = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport neuron_adapters.torch"
    assert "RuntimeError: I am no framework" in script(snippet, code=1)


@pytest.mark.parametrize("name", ["torch_neuron", "torch_neuronx"])
@pytest.mark.parametrize("imported", [True, False])
def test_the_real_plugin_goes_first(script: Script, tmp_path: Path, name: str, imported: bool) -> None:
    """SPEC H4: the adapter hooks nothing and says so."""
    (tmp_path / f"{name}.py").write_text("real = True\n")
    assert "steps aside" in script("the_real_plugin_goes_first.py", tmp_path, name, imported)


def test_patches_are_all_or_nothing() -> None:
    """A failure part-way puts back what was done; later changes by others stay theirs."""

    class Owner:
        attribute = 1

    class Child(Owner):
        pass

    patches = Patches()
    table: dict[str, int] = {"a": 1}
    with pytest.raises(KeyError), patches.recording():  # noqa: PT012  # what fails part-way
        patches.set(Child, "attribute", 2)
        patches.set(table, "a", 2)
        patches.set(table, "b", 2)
        raise KeyError
    assert ("attribute" in vars(Child), table, patches.installed) == (False, {"a": 1}, False)
    with patches.recording():
        patches.set(Child, "attribute", 2)
        patches.set(Owner, "attribute", 3)
    Owner.attribute = 4
    patches.revert()
    assert ("attribute" in vars(Child), Owner.attribute) == (False, 4)


def test_public_names() -> None:
    """__all__ is what is there, in each public module."""
    import neuron_adapters
    from neuron_adapters import torch as adapter
    from neuron_adapters.torch import experimental, neuronx

    for module in (neuron_adapters, adapter, experimental, neuronx):
        assert all(hasattr(module, name) for name in module.__all__)
    assert adapter.is_available() is True
    assert {"trace", "DataParallel", "analyze_model", "experimental", "Optimization"} <= set(adapter.__all__)
