"""PyTorch models on disk, runtimes in this process, and scripts in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import neuron_adapters.torch

#: What computes here: "default", "framework" (NEURON_ADAPTERS_ENGINE=framework) or "absent" (OpenVINO is not
#: installed). ``make test-engines`` runs all tests of this folder with each.
ENGINE = os.environ.get("TORCH_TESTS_ENGINE", "default")
HIDE_OPENVINO = "import sys; sys.modules['openvino'] = None  # importing it fails, and no finder finds it\n"

if ENGINE == "absent":
    exec(HIDE_OPENVINO)
if ENGINE != "default":
    collect_ignore = [
        "test_engine.py",
        "test_engine_process.py",
    ]  # tests of the engine itself, which each say what computes

sys.path.insert(0, str(Path(__file__).parent))

from engine_models import mobile, openvino  # noqa: E402, F401  # fixtures  # isort: skip


class Net(torch.nn.Module):
    """Convolution, buffers and a submodule: enough to have every kind of attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 8 * 8, 5))
        self.scale = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(x)))) * self.scale


class TwoMethods(Net):
    """With a second method, which torch.jit.trace would not take."""

    @torch.jit.export
    def twice(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward(x) * 2


@pytest.fixture(scope="session")
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="session")
def image() -> torch.Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, net: torch.nn.Module, image: torch.Tensor) -> Path:
    """A folder with k1.pt to k4.pt, compiled for 1 to 4 NCs, and plain.pt, never compiled."""
    folder = tmp_path_factory.mktemp("models")
    for cores in (1, 2, 3, 4):
        flags = ["--neuroncore-pipeline-cores", str(cores)]
        neuron_adapters.torch.trace(net, image, compiler_args=flags).save(str(folder / f"k{cores}.pt"))
    two = TwoMethods().eval()
    two.load_state_dict(net.state_dict())
    torch.jit.script(two).save(str(folder / "plain.pt"))
    return folder


@pytest.fixture(autouse=True)
def _own_runtime(own_runtime: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has NCs of its own, and the engine of this run of the tests."""
    if ENGINE == "framework":
        monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", "framework")


@pytest.fixture
def default_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the engine itself: they run as users have it who set nothing."""
    monkeypatch.delenv("NEURON_ADAPTERS_ENGINE", raising=False)
    if ENGINE == "absent":
        pytest.skip("it is a test of the engine, which is hidden")


@pytest.fixture
def script(run_script: Callable[..., str]) -> Callable[..., str]:
    """Run a script, or a snippet, in a process of its own, warnings as errors but TorchScript's; returns what it
    printed."""
    head = "".join(
        f"warnings.filterwarnings('ignore', r'`torch\\.jit\\..*', {kind})\n"
        for kind in ("DeprecationWarning", "FutureWarning")
    )
    if ENGINE == "absent":
        head = HIDE_OPENVINO + head
    engine = {"NEURON_ADAPTERS_ENGINE": "framework"} if ENGINE == "framework" else {}
    return lambda script, *arguments, **variables: run_script(script, *arguments, head=head, **{**engine, **variables})
