"""The examples of Ray run on the tests' cluster, and check themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ray_machines import ROOT, Machines


@pytest.mark.parametrize("example", ["ray_data", "ray_serve"])
def test_example_checks_itself(machines: Machines, tmp_path: Path, example: str) -> None:
    state = tmp_path / "state"  # of the driver, whose models are compiled there
    state.mkdir(mode=0o700)
    env = {**os.environ, "RAY_ADDRESS": machines.cluster.address, "NEURON_ADAPTERS_STATE_DIR": str(state)}
    command = [sys.executable, str(ROOT / "examples" / f"{example}.py")]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "of plain PyTorch" in done.stdout
