"""neuron-top in processes of its own, and processes for it to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 60
TOP = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.top"]


class Process:
    """One that serves."""

    def __init__(self, folder: Path, env: dict[str, str], script: str = "top_serve.py") -> None:
        path = folder / "serve.py"
        if not path.exists():  # another process may be reading it
            shutil.copy(SCRIPTS / script, path)
        self.process = subprocess.Popen(
            [sys.executable, str(path)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.started = self._answer()

    def do(self, word: str, times: int = 1) -> dict[str, Any]:
        """Have it do something; what it has counted after that."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {times}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def top_environment(tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEURON", "COLUMNS", "NO_COLOR", "TEXTUAL"))}
    return {
        **kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]), "PYTHONIOENCODING": "utf-8",
        "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"), "TERM": "xterm-256color",
    }  # fmt: skip


@pytest.fixture
def serve_models(tmp_path: Path, top_environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(script: str = "top_serve.py", **variables: str) -> Process:
        running.append(Process(tmp_path, {**top_environment, "NEURON_RT_NUM_CORES": "3", **variables}, script))
        return running[-1]

    yield start
    for server in running:
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def top(top_environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*TOP, *words], env={**top_environment, **variables}, capture_output=True, timeout=PATIENCE, encoding="utf-8",
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert bool(done.stderr) == bool(code)
        return done

    return run


WITHOUT = (
    "import sys; sys.modules[{missing!r}] = None; from neuron_adapters.tools.top import main; sys.exit(main({words!r}))"
)
