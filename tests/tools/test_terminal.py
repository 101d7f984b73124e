"""The frame of all commands."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import neuron_adapters
from neuron_adapters.tools.cli import COMMANDS as SUBCOMMANDS
from neuron_adapters.tools.completion import COMMANDS
from neuron_adapters.tools.shared.terminal import Parser

ROOT = Path(__file__).resolve().parents[2]

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


# -- the command line of every command -----------------------------------------------------------------------------

ROOMS = [*COMMANDS.values(), *(room for room, _purpose in SUBCOMMANDS.values()), "neuron_adapters.tools.cc"]


def parser_in(room: str) -> Parser:
    return importlib.import_module(room).make_parser()


@pytest.mark.parametrize("room", sorted(set(ROOMS)))
def test_every_command_says_its_version(room: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = parser_in(room)
    with pytest.raises(SystemExit, match=r"^0$"):
        parser.parse_args(["--version"])
    assert capsys.readouterr().out == f"{parser.prog} {neuron_adapters.__version__}\n"


@pytest.mark.parametrize("room", sorted(set(ROOMS)))
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits_the_terminal(room: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wide as COLUMNS says: longer lines are folded, those of the examples too."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = parser_in(room).format_help().splitlines()
    assert [line for line in lines if len(line) > columns] == []
    assert max(map(len, lines)) > 40


@pytest.mark.parametrize("room", sorted(set(ROOMS)))
@pytest.mark.parametrize("buffered", [True, False])
def test_help_that_cannot_be_written(
    room: str, buffered: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk is an error, also where Python writes at once and argparse drops the error."""
    with open("/dev/full", "wb", buffering=-1 if buffered else 0) as full:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, write_through=not buffered))
        with pytest.raises(SystemExit, match=r"^1$"):
            parser_in(room).parse_args(["--help"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": [Errno 28] No space left on device")


def test_commands_on_a_full_disk() -> None:
    """As a user runs them. Nothing of Python's is seen, and a reader that has read enough is no error."""
    path = os.pathsep.join([str(ROOT / "core"), str(ROOT)])
    run = f"'{sys.executable}' -m neuron_adapters"
    for tail, code, lines in (
        ("--help > /dev/full", 1, 1), ("--version > /dev/full", 1, 1), ("--help | true; exit ${PIPESTATUS[0]}", 0, 0),
        ("--nope > /dev/full", 2, 5), ("--version >&-", 0, 1),
    ):  # fmt: skip
        for unbuffered in ("", "1"):
            env = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": unbuffered}
            done = subprocess.run(["bash", "-c", f"{run} {tail}"], env=env, capture_output=True, text=True, timeout=60)
            assert (done.returncode, len(done.stderr.splitlines())) == (code, lines), (tail, done.stderr)
