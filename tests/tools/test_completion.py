"""``neuron-adapters completion``: what a shell completes is what the commands take."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from neuron_adapters.tools import cli
from neuron_adapters.tools.completion import COMMANDS, parsers

ROOT = Path(__file__).resolve().parents[2]

#: What is typed before Tab, and what the shell offers.
TYPED = {
    "neuron-ls --t": {"--topology"},
    "neuron-ls -": {
        "-h",
        "--help",
        "--version",
        "-w",
        "--wide",
        "-a",
        "--show-all-procs",
        "-t",
        "--topology",
        "-j",
        "--json-output",
    },
    "neuron-adapters ": set(cli.COMMANDS),
    "neuron-adapters pl": {"plan"},
    "neuron-adapters plan --framework ": {"torch", "tf", "mx"},
    "neuron-adapters plan --ver": {"--version"},
    "neuron-adapters completion ": {"bash", "zsh", "tcsh"},
    "neuron-adapters inspect mod": {"model.pt"},
    "neuron-adapters share fol": {"folder"},
    "neuron-run --instance inf2.4": {"inf2.48xlarge"},
    "neuron-run --vis": {"--visible"},
    "neuron-run mod": {"model.pt"},
    "neuron-monitor-prometheus --cert-file mod": {"model.pt"},
    "neuron-monitor-prometheus.py --key": {"--key-file"},
    "neuron-monitor --verbose ": {"0", "1", "2", "3", "4"},
    "neuron-top --w": {"--web"},
    "tf-neuron-auto-multicore --num": {"--num_cores"},
    "tf-neuron-auto-multicore --new_model_dir fol": {"folder"},
}
#: Complete the last of the words, as bash does at Tab.
PRESS_TAB = """
tab() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    $(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "$1"
    echo "${COMPREPLY[*]}"
}
"""


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["completion", "bash"]) == 0
    return capsys.readouterr().out


def test_bash_completes(script: str, tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    (tmp_path / "folder").mkdir()
    lines = [" ".join(f"'{word}'" for word in typed.split(" ")) for typed in TYPED]
    program = f"{script}\n{PRESS_TAB}\n" + "\n".join(f"tab {line}" for line in lines)
    done = subprocess.run(["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert {typed: set(line.split()) for typed, line in zip(TYPED, done.stdout.splitlines(), strict=True)} == TYPED


def test_every_command_and_every_option_is_known(script: str) -> None:
    section = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]\n")[2].partition("\n[")[0]
    assert set(re.findall(r'^"?([a-z._-]+)"? = ', section, flags=re.MULTILINE)) == set(COMMANDS)
    for parser in parsers():
        assert f" {parser.prog}\n" in script
        options = set(re.findall(r"^  +(?:-\w,? ?.*)?(--[a-z-_0-9]+)", parser.format_help(), flags=re.MULTILINE))
        assert "--version" in options
        assert [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", script)] == []


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert cli.main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in said] == []


@pytest.mark.parametrize("words", [[], ["fish"], ["bash", "zsh"]])
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["completion", *words])
    assert capsys.readouterr().err.splitlines()[-1].startswith("neuron-adapters completion: error: ")


def test_without_its_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == (
        "neuron-adapters completion: needs the package shtab, which is not installed: pip install 'neuron-adapters[tools]'\n"
    )
