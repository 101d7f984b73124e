"""Scripts under ``neuron-run`` and under plain Python, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
MXNET_PYTHON = ROOT / ".venv-mxnet" / "bin" / "python"


@dataclass
class Python:
    """Starts processes in ``folder``, with NCs of the test's own."""

    folder: Path
    env: dict[str, str]

    def plain(self, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """``python WORDS``."""
        return self.start(sys.executable, *words, **options)

    def served(self, *words: object, options: Sequence[object] = (), **more: Any) -> subprocess.CompletedProcess[str]:
        """``neuron-run OPTIONS WORDS``."""
        return self.start(sys.executable, "-m", "neuron_adapters", *options, *words, **more)

    def start(self, *command: object, code: int | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        env = {**self.env, **options.pop("env", {})}
        options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
        options = {name: value for name, value in options.items() if value is not None}
        done = subprocess.run(
            list(map(str, command)), env=env, cwd=self.folder, capture_output=True, text=True, timeout=280, **options
        )
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done


def _python(folder: Path, state: Path) -> Python:
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("NEURON", "PYTEST", "TF_", "KERAS"))
    }
    env |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
        "NEURON_ADAPTERS_STATE_DIR": str(state),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
    return Python(folder, env)


@pytest.fixture
def python(tmp_path: Path) -> Python:
    folder = tmp_path / "work"
    folder.mkdir()
    return _python(folder, tmp_path / "state")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with m0 to m3 of each framework (.pt, .tf, and none for MXNet), their weights, and the input x."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.random((1, 8), dtype="f4"))
    for index in range(4):
        np.save(folder / f"w{index}.npy", rng.random((4, 8), dtype="f4"))
    _python(folder, folder / "state").served(SCRIPTS / "make_models.py", code=0)
    return folder
