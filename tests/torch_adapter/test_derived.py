"""What makes one compiled model of another works whatever computes, called before or never before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import neuron_adapters
from neuron_adapters.adapter.placed import model_of
from neuron_adapters.torch import DataParallel, experimental, neuronx, trace

nn = torch.nn


class Branch(nn.Module):
    """Control flow: no engine takes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 1e9):
            return x - 1
        return torch.relu(x) + 1


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)).eval()


def file_of(module: Any, folder: Path) -> str:
    module.save(str(folder / "derived.pt"))
    return str(folder / "derived.pt")


def loaded_by_replicas(module: Any, folder: Path) -> Any:
    with experimental.neuron_cores_context(0, 4):
        return torch.jit.load(file_of(module, folder))


class Outer(nn.Module):
    """A larger module with a compiled one inside."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) * 1


DERIVE: dict[str, Callable[[Any, Path], Any]] = {
    "itself": lambda module, _folder: module,
    "copy": lambda module, _folder: copy.copy(module),
    "deep copy": lambda module, _folder: copy.deepcopy(module),
    "copy of a copy": lambda module, _folder: copy.deepcopy(copy.copy(module)),
    "load": lambda module, folder: torch.jit.load(file_of(module, folder)),
    "copy of a load": lambda module, folder: copy.deepcopy(torch.jit.load(file_of(module, folder))),
    "second load": lambda module, folder: (torch.jit.load(file_of(module, folder)), torch.jit.load(folder / "derived.pt"))[1],
    "replicas": loaded_by_replicas,
    "frozen": lambda module, _folder: torch.jit.freeze(module),
    "optimized": lambda module, _folder: torch.jit.optimize_for_inference(torch.jit.freeze(module)),
    "scripted": lambda module, _folder: torch.jit.script(Outer(module)),
    "traced into": lambda module, _folder: torch.jit.trace(Outer(module), torch.ones(2, 8), check_trace=False),
    "DataParallel": lambda module, _folder: DataParallel(module, device_ids=[0, 1]),
    "DataParallel of a load": lambda module, folder: DataParallel(
        torch.jit.load(file_of(module, folder)), device_ids=[0, 1]
    ),
}  # fmt: skip


@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after"])
@pytest.mark.parametrize("model", [network, lambda: torch.jit.script(Branch().eval())], ids=["linear", "branch"])
@pytest.mark.parametrize("how", DERIVE)
@pytest.mark.filterwarnings("ignore:The input to trace is already a ScriptModule")
def test_derived(tmp_path: Path, how: str, model: Callable[[], nn.Module], called: bool) -> None:
    """It answers as the original does, twice; so does what it was made of, afterwards."""
    net, x = model(), torch.linspace(-1, 1, 16).reshape(2, 8)
    compiled = trace(net, x)
    if called:
        compiled(x)
    derived = DERIVE[how](compiled, tmp_path)
    rows = torch.linspace(-2, 2, 32).reshape(4, 8) if how.startswith("DataParallel") else x
    for module, inputs in ((derived, rows), (derived, rows), (compiled, x)):
        torch.testing.assert_close(module(inputs), net(inputs), rtol=1e-3, atol=1e-4)


DYNAMIC: dict[str, Callable[[Any, Path], Any]] = {
    name: DERIVE[name] for name in ("itself", "copy", "deep copy", "load", "copy of a load", "replicas", "DataParallel")
}


@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after"])
@pytest.mark.parametrize("model", [network, lambda: torch.jit.script(Branch().eval())], ids=["linear", "branch"])
@pytest.mark.parametrize("how", DYNAMIC)
@pytest.mark.filterwarnings("ignore:The input to trace is already a ScriptModule")
def test_dynamic_batch(tmp_path: Path, how: str, model: Callable[[], nn.Module], called: bool) -> None:
    """torch_neuronx.dynamic_batch of a compiled model, and what is made of it, takes any batch."""
    net = model()
    compiled = trace(net, torch.ones(2, 8))
    if called:
        compiled(torch.ones(2, 8))
    derived = DYNAMIC[how](neuronx.dynamic_batch(compiled), tmp_path)
    for rows in (1, 2, 5):
        x = torch.linspace(-1, 1, rows * 8).reshape(rows, 8)
        torch.testing.assert_close(derived(x), net(x), rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("default_engine")
@pytest.mark.parametrize("how", DYNAMIC)
def test_only_the_slice_whose_guard_spoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str) -> None:
    """SPEC K3: of a batch in slices PyTorch computes those that the engine cannot answer, and no other."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    net = network()
    derived = DYNAMIC[how](neuronx.dynamic_batch(trace(net, torch.ones(2, 8))), tmp_path)
    x = torch.linspace(-1, 1, 64).reshape(8, 8)
    x[5, 3], x[5, 4] = float("nan"), float("inf")
    torch.testing.assert_close(derived(x), net(x), rtol=1e-3, atol=1e-4, equal_nan=True)
    model = model_of(derived)
    assert model is not None
    pools = {id(slot.pool): slot.pool for slot in model.slots}
    assert sum(pool.guarded for pool in pools.values()) == 1
    assert {placed.engine for placed in neuron_adapters.describe().models} <= {"openvino", ""}
