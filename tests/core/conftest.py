"""Runtimes in this process and scripts in others, each with a state directory of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuron_rt import Config, Runtime
from neuron_rt.ownership import acquire

CORE = Path(__file__).resolve().parents[2] / "core"
SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def environment(state_dir: Path) -> Callable[..., dict[str, str]]:
    """A clean environment for a child, with the given variables."""

    def make(**variables: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
        return {**env, "PYTHONPATH": str(CORE), "NEURON_ADAPTERS_STATE_DIR": str(state_dir), **variables}

    return make


@pytest.fixture
def start(environment: Callable[..., dict[str, str]]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a script of this room, or a snippet, in a process of its own; whatever is left is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        source = [str(SCRIPTS / script)] if script.endswith(".py") else ["-c", script]
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *source, *arguments],
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def make_runtime(state_dir: Path) -> Iterator[Callable[..., Runtime]]:
    """A runtime in this process, of the given variables."""
    runtimes: list[Runtime] = []

    def make(**variables: str) -> Runtime:
        config = Config.read({"NEURON_ADAPTERS_STATE_DIR": str(state_dir), **variables})
        runtime = Runtime(config, acquire(config))
        runtime._warned.update(config.sources)  # the test's variables are not this process's
        runtimes.append(runtime)
        return runtime

    yield make
    for runtime in runtimes:
        runtime.close()
