"""``import mxnet; import neuron_adapters.mx``: the tests in ``real/``, run by the interpreter that has mxnet."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-mxnet" / "bin" / "python"


def test_real_mxnet(tmp_path: Path) -> None:
    """All of them pass, and there are some."""
    assert PYTHON.exists(), f"{PYTHON} is missing: make setup-mxnet"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NEURON", "PYTEST", "MXNET"))}
    env |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
        "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"),
    }
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--basetemp", tmp_path / "real"]
    done = subprocess.run([*command, Path(__file__).parent / "real"], env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 20, done.stdout
