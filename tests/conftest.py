"""What the tests of all adapters share: runtimes of their own, CPU time by thread, scripts in their own processes."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neuron_rt

#: What TensorFlow says while its logging starts, whatever the level.
NOISE = re.compile(r"WARNING: All log messages before absl|[IWE]\d{4} .*(oneDNN|cpu_feature_guard|rebuild TensorFlow)")
ROOT = Path(__file__).resolve().parents[1]


def _cpu_ticks() -> dict[int, int]:
    """CPU ticks used so far by each thread of this process."""
    found = {}
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/self/task/{task}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
            found[int(task)] = int(fields[11]) + int(fields[12])
    return found


@pytest.fixture
def cpu_ticks() -> Callable[[], dict[int, int]]:
    return _cpu_ticks


@pytest.fixture
def own_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """NCs of the test's own, and none of the variables of whoever runs it."""
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
def run_script(tmp_path: Path) -> Callable[..., str]:
    """Run a snippet in a process of its own, warnings as errors; returns what it printed."""

    def run(head: str, snippet: str, *, folder: Path | None = None, code: int = 0, **variables: str) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        env |= {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
            "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"),
            **variables,
        }
        head = "import warnings; warnings.simplefilter('error')\n" + head
        done = subprocess.run(
            [sys.executable, "-c", head + snippet], env=env, cwd=folder or tmp_path, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        said = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
        assert code or said == []
        return done.stdout if not code else done.stdout + done.stderr

    return run
