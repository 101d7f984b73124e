"""PyTorch models on disk, runtimes in this process, and scripts in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import neuron_adapters.torch
import neuron_rt

ROOT = Path(__file__).resolve().parents[2]
FILTER = "ignore:`torch.jit.:DeprecationWarning"


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


def _cpu_ticks() -> dict[int, int]:
    """CPU ticks used so far by each thread of this process."""
    found = {}
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
            found[int(task)] = int(fields[11]) + int(fields[12])
    return found


@pytest.fixture
def cpu_ticks() -> Callable[[], dict[int, int]]:
    return _cpu_ticks


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
def _own_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has NCs of its own, and none of the variables of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("NEURON")]:
        monkeypatch.delenv(name)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(state))
    yield
    runtime = neuron_rt.current()
    if runtime is not None:
        runtime.close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Run a snippet in a process of its own, warnings as errors; returns what it printed."""

    def run(snippet: str, *, folder: Path | None = None, code: int = 0, **variables: str) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        env |= {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
            "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"),
            **variables,
        }
        head = (
            "import warnings; warnings.simplefilter('error')\n"
            "warnings.filterwarnings('ignore', r'`torch\\.jit\\..*', DeprecationWarning)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", head + snippet], env=env, cwd=folder or tmp_path, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert code or done.stderr == ""
        return done.stdout if not code else done.stdout + done.stderr

    return run
