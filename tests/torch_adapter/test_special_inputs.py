"""SPEC K3: a compiled model takes tensors that are more than numbers in memory as the TorchScript module does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_adapter import special_inputs
from torch_adapter.conftest import ENGINE, HIDE_OPENVINO

from neuron_adapters.adapter.placed import model_of
from neuron_adapters.torch import DataParallel, trace
from neuron_rt import InputMismatchError

ROOT = Path(__file__).resolve().parents[2]
#: NEURON_ADAPTERS_ENGINE in this run of the tests. By default no race decides: the engine takes what agrees.
CHOICE = {"default": "openvino", "framework": "framework", "absent": "auto"}[ENGINE]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The answers to all cases, of a process of plain PyTorch and of one of compiled models."""
    folders = {api: tmp_path_factory.mktemp(api) for api in ("plain", "neuron")}  # not in threads: they would collide

    def run(api: str) -> dict[str, Any]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        env |= {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "core", ROOT, ROOT / "tests"))),
            "NEURON_ADAPTERS_STATE_DIR": str(folders[api]),
            "NEURON_ADAPTERS_ENGINE": CHOICE,
        }
        hide = HIDE_OPENVINO if ENGINE == "absent" else ""
        script = f"{hide}\nfrom torch_adapter import special_inputs; special_inputs.main({api!r})"
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, timeout=280)
        assert done.returncode == 0, done.stderr.decode()
        return dict(json.loads(done.stdout))

    with ThreadPoolExecutor() as pool:
        return dict(zip(folders, pool.map(run, folders)))


@pytest.mark.parametrize("size", special_inputs.SIZES)
@pytest.mark.parametrize("case", special_inputs.CASES)
def test_answers_as_pytorch(answers: dict[str, dict[str, Any]], case: str, size: str) -> None:
    """Class, layout and values, or the class of the exception."""
    expected = answers["plain"][f"{case}, {size}"]
    assert expected != "TypeError"
    assert answers["neuron"][f"{case}, {size}"] == expected


@pytest.fixture(params=[False, True], ids=["fixed", "dynamic"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model of inputs of two rows."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", CHOICE)
    return trace(special_inputs.model(8), torch.rand(2, 8), dynamic_batch_size=request.param)


@pytest.mark.filterwarnings("ignore:.*(quantized tensor creation|nested tensors is in prototype)")
@pytest.mark.parametrize("case", special_inputs.REFUSED)
def test_one_clear_error(compiled: Any, case: str) -> None:
    """No values, or no shape, or another dtype: an error that names the input and says what to do."""
    with pytest.raises(InputMismatchError, match=r"^Input 0 .*(CPU|Pad it|Convert it)") as caught:
        compiled(special_inputs.REFUSED[case](torch.rand(2, 8)))
    assert "\n" not in str(caught.value)
    compiled(torch.rand(2, 8))


@pytest.mark.parametrize("form", [special_inputs.Named, special_inputs.Wrapper, torch.nn.Parameter, torch._neg_view])
@pytest.mark.parametrize("compiled", [True], indirect=True)
def test_a_batch_in_slices(compiled: Any, form: Callable[[torch.Tensor], Any]) -> None:
    """Slices of a subclass are of that subclass, in a dynamic batch and in DataParallel."""
    net, x = special_inputs.model(8), torch.rand(5, 8)
    convert = (lambda tensor: tensor.as_subclass(form)) if form is special_inputs.Named else form
    value = convert(x)
    expected = net(value).detach()
    for module in (compiled, DataParallel(compiled, device_ids=[0, 1])):
        result = module(value)
        assert type(result) is type(expected)
        plain = [
            answer.inner if isinstance(answer, special_inputs.Wrapper) else answer for answer in (result, expected)
        ]
        torch.testing.assert_close(*(answer.as_subclass(torch.Tensor) for answer in plain), rtol=1e-3, atol=1e-4)


class Pair(torch.nn.Module):
    """Of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.linear(x) - y


@pytest.mark.parametrize("inputs", ["the same twice", "overlapping", "subclass beside plain", "subclasses"])
def test_two_inputs(monkeypatch: pytest.MonkeyPatch, inputs: str) -> None:
    """Inputs that share memory are read as they are; one that is special is enough."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", CHOICE)
    net = Pair().eval()
    memory = torch.rand(24)
    x, y = memory[:16].view(2, 8), memory[8:].view(2, 8)
    compiled = trace(net, (torch.rand(2, 8), torch.rand(2, 8)))
    named = x.as_subclass(special_inputs.Named)
    pair = {
        "the same twice": (x, x), "overlapping": (x, y), "subclass beside plain": (named, y), "subclasses": (named, named),
    }[inputs]  # fmt: skip
    expected = net(*pair).detach()
    for _ in range(2):
        result = compiled(*pair)
        assert type(result) is type(expected)
        torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("default_engine")
def test_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch answers in place of the engine is counted; a parameter or a strided tensor is the engine's."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "openvino")
    compiled = trace(special_inputs.model(8), torch.rand(2, 8))
    x = torch.rand(2, 8)
    compiled(x), compiled(torch.nn.Parameter(x)), compiled(torch._neg_view(x)), compiled(special_inputs.spread(x))
    model = model_of(compiled)
    assert model is not None
    pool = model.slots[0].pool
    assert pool.guarded == 0
    compiled(x.as_subclass(special_inputs.Named)), compiled(x.to_sparse())
    assert pool.guarded == 2
