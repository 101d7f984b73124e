"""The benchmarks run: every one explains itself, and the shortest measures something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if path.stem != "plot")


def run(*words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=env, cwd=FOLDER.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_help_teaches(name: str) -> None:
    text = run(f"benchmarks/{name}.py", "--help")
    assert "--quick" in text
    assert len(text) > 600


def test_all_of_them_are_run() -> None:
    assert all(name in run("-m", "benchmarks", "--help") for name in NAMES)


def test_one_call(tmp_path: Path) -> None:
    """Both sides were measured in every round, and the goal was judged by them."""
    out = tmp_path / "result.json"
    run("benchmarks/call_cost.py", "--quick", "--calls", "50", "--json", str(out))
    result = json.loads(out.read_text())
    assert {"plain TorchScript", "adapter", "adapter, compiled"} <= set(result["data"])
    assert all(side["cost"]["median"] > 0 for side in result["data"].values())
    assert [goal["measured"]["count"] for goal in result["goals"]] == [2, 2, 2]
    assert result["quick"]
    assert result["machine"]["cpus"] >= 1
