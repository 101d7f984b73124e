"""A command is imported at once: it loads its own folder and what commands share, and no other command's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "neuron_adapters" / "tools"
COMMANDS = sorted(folder.name for folder in TOOLS.iterdir() if (folder / "__main__.py").exists())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_no_other(command: str) -> None:
    code = f"import sys, neuron_adapters.tools.{command} as room; print(room.main.__name__, *sys.modules)"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[2] for name in done.stdout.split() if name.startswith("neuron_adapters.tools.")}
    assert command in loaded
    assert loaded <= {command, "shared"}


def test_there_are_all_commands() -> None:
    expected = (
        "auto_multicore cc completion doctor inspect link_tools ls monitor plan prometheus ray_resources share top"
    )
    assert expected.split() == COMMANDS
