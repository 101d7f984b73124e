"""The frame of all commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = """
import sys
from neuron_adapters.tools.shared.terminal import ending, forget_interrupt

def interrupted():
    raise KeyboardInterrupt

def run():
    exec("interrupted()", {"interrupted": interrupted})  # as a dataclass is made
    return 0

if sys.argv[1:]:
    sys.exit(ending("command", run))
try:
    run()
except KeyboardInterrupt:
    forget_interrupt()
sys.exit(130)
"""


def test_ctrl_c_inside_an_exec_of_text_is_an_exit_code(tmp_path: Path) -> None:
    """Python ends itself by SIGINT then, run with ``-m``, though the exception was caught."""
    (tmp_path / "command.py").write_text(COMMAND)
    for arguments in (["frame"], []):
        done = subprocess.run([sys.executable, "-m", "command", *arguments], cwd=tmp_path, timeout=60, check=False)
        assert done.returncode == 130
