"""SPEC T2, O4: every start method, and all three frameworks in each child."""

from __future__ import annotations

import shutil
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"


def test_every_start_method_and_framework(python, models: Path) -> None:
    """Each child finds the names, takes four NCs of its own and places its models there."""
    shutil.copy(SCRIPTS / "children.py", models)
    python.folder = models
    lines = python.served("children.py", code=0).stdout.splitlines()
    said = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}
    assert set(said) == {"fork", "spawn", "forkserver", "subprocess"}
    assert set(said.values()) == {"[True, True, True] [0, 2, 0] [2, 2, 2] 4 1"}, said
