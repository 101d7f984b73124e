"""Processes that run models, for the commands to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what the tests of a command share

from exporter_processes import export  # noqa: F401  # fixtures  # isort: skip
from monitor_processes import monitor  # noqa: F401  # isort: skip
from plan_command import run_plan  # noqa: F401  # isort: skip
from top_processes import serve_models, top, top_environment  # noqa: F401  # isort: skip

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"


class Loaded:
    """A process that runs models when it is told to."""

    def __init__(self, folder: Path, words: tuple[str, ...], env: dict[str, str], script: str) -> None:
        shutil.copy(SCRIPTS / script, folder / "load.py")
        self.process = subprocess.Popen(
            [sys.executable, "load.py", *words],
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.models = len(words)
        assert self.process.stdout is not None
        self.ncs = [int(word) for word in self.process.stdout.readline().split()]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def do(self, line: str) -> dict[str, Any]:
        """``burn``, ``fault`` or ``sleep``; model, calls, seconds a call, seconds between them. Or ``python`` code.

        The answer has how the calls ended (well, by an error, by a time-out), and of each call the seconds of CPU of
        its thread, those that its thread waited for a CPU, and those on the wall."""
        self.tell(line)
        return self.answer()

    def record(self, state: Path) -> tuple[Path, dict[str, Any]]:
        """Its record's file, and what it says once it tells of all models: it is not written again until then."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for file in state.glob("*.json"):
                record = json.loads(file.read_text())
                if record["pid"] == self.pid and len(record["models"]) == self.models:
                    return file, record
            time.sleep(0.01)
        raise TimeoutError(f"process {self.pid} has not told of its {self.models} models")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def tool_environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """None of the variables of whoever runs the tests, and a state directory of the test's own."""

    def make(**variables: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("NEURON", "COLUMNS"))}
        path = os.pathsep.join([str(ROOT / "core"), str(ROOT)])
        return {**env, "PYTHONPATH": path, "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"), **variables}

    return make


@pytest.fixture
def load(tmp_path: Path, tool_environment: Callable[..., dict[str, str]]) -> Iterator[Callable[..., Loaded]]:
    """Start processes of ``scripts/load.py``; each has its NCs when it is returned. Whatever is left is ended with the
    test."""
    running: list[Loaded] = []

    def start(*words: str, script: str = "load.py", **variables: str) -> Loaded:
        folder = tmp_path / f"load{len(running)}"
        folder.mkdir()
        running.append(Loaded(folder, words, tool_environment(**variables), script))
        return running[-1]

    yield start
    for process in running:
        process.end()
