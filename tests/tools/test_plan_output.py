"""What ``neuron-adapters plan`` writes: pictures, JSON, SVG; and the plan as a command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from neuron_adapters.tools import plan

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


FIELDS = {
    "": ["fits", "framework", "instance", "instance_ncs", "groups", "ncs", "models", "findings"],
    "instance": ["name", "nc_count", "ncs_per_device", "cpu_count"],
    "ncs": ["nc", "instance_nc", "device", "cpus", "nodes", "models"],
    "models": ["mark", "name", "nc_count", "placement", "cpus", "error"],
    "placement": ["start_nc", "nc_count", "instance_ncs"],
    "groups": ["start_nc", "nc_count"],
    "findings": ["level", "kind", "text", "models", "ncs"],
}


Run = Callable[..., str]


@pytest.fixture(autouse=True)
def alone(own_runtime: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's variables, 80 columns, an instance of 8 unless a test says another."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


# -- what it writes ----------------------------------------------------------------------------------------------

PICTURE = """\
inf1.6xlarge: 13 of 16 NeuronCores (NC0-NC12), 16 CPUs; PyTorch

device         0       │       1       │       2       │ 3
NC       0   1   2   3 │ 4   5   6   7 │ 8   9  10  11 │12
        ┣╍ A ╍┫ ┣━━━━━ B ━━━━━┫ ┣━━━ C ━━━┫ ┣━━━━━ D ━━━━━┫
        ┣╍ E ╍┫

A  2 NCs  NC0-NC1   CPU 0-1
B  4 NCs  NC2-NC5   CPU 2-5
C  3 NCs  NC6-NC8   CPU 6-8
D  4 NCs  NC9-NC12  CPU 9-12
E  2 NCs  NC0-NC1   CPU 0-1

warning: A and E share NC0-NC1: they never run at the same moment, and each
  change from one to another is a model switch.

All 5 models fit; 2 of them share NeuronCores and take turns.
"""


def test_picture(run_plan: Run) -> None:
    assert run_plan("2,4,3,4,2", "--cores", "13", "--instance", "inf1.6xlarge", "--cpus", "16") == PICTURE


def test_picture_in_ascii() -> None:
    """The same in any locale; groups, an order of one's own, idle NCs, and a name in the bar."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"}
    words = ["größe:1,2", "--visible", "5,4,2,3", "--groups", "2,1", "--instance", "8", "--cpus", "8"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.plan", *words], env=env, capture_output=True,
        timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[2:8] == [
        "device     1   |   0",
        "NC       0   1 | 2   3",
        "of all   5   4 | 2   3",
        "group   [  0  ] [1]",
        "        [A]  .  [= B =]",
        "",
    ]
    assert lines[8].startswith("A  gr??e  1 NC   NC0      CPU 5")


def test_every_picture_fits(run_plan: Run) -> None:
    """80 columns, whatever is asked; 40 where there are no more."""
    cases = (
        "64x1 --instance inf1.24xlarge", "20x2 --instance inf1.24xlarge --cores 4", "1 --instance 4096",
        "16x8 --instance trn2.48xlarge -f mx", "2,1 --visible 15,3,4,9 --instance inf1.6xlarge",
        "1,1,1 -f tf --instance trn1.2xlarge", f"{'n' * 60}:2,5 --groups 2,2,4", "100x1 --cores 1",
    )  # fmt: skip
    for case in cases:
        for columns in (80, 40):
            os.environ["COLUMNS"] = str(columns)  # monkeypatch puts it back
            said = run_plan(*case.split())
            assert max(map(len, said.splitlines())) <= columns, said


def test_idle_bands_are_named_only(run_plan: Run) -> None:
    said = run_plan("1", "--instance", "inf1.24xlarge", "--cpus", "64")
    assert "\nNC16-NC63: idle\n" in said
    assert said.count("device") == 1


def test_json_has_the_documented_fields(run_plan: Run) -> None:
    said = json.loads(run_plan("a:2,2,1", "--groups", "2,2,2", "--cpus", "8", "-j"))
    assert list(said) == FIELDS[""]
    assert list(said["instance"]) == FIELDS["instance"]
    for name in ("ncs", "models", "groups", "findings"):
        assert said[name]
        assert all(list(entry) == FIELDS[name] for entry in said[name])
    assert all(list(replica) == FIELDS["placement"] for model in said["models"] for replica in model["placement"])
    assert said["ncs"][0] == {"nc": 0, "instance_nc": 0, "device": 0, "cpus": [0], "nodes": [0], "models": ["A"]}
    text = (ROOT / "docs" / "tools.md").read_text()
    assert [name for names in FIELDS.values() for name in names if f"`{name}`" not in text] == []


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "words",
    [
        "2,4,3,4,2 --cores 13 --instance inf1.6xlarge", "64x1 --instance inf1.24xlarge", "1 --instance 4096",
        "2,2,3 --groups 2,2", "1,2 -f tf", "2,1 --visible 5,2,3", "9", "1 --visible=", "12x1 --instance trn1n.32xlarge",
    ],
)  # fmt: skip
def test_svg(run_plan: Run, tmp_path: Path, words: str) -> None:
    """Valid XML that depends on nothing: a bar for each replica, inside the page."""
    file = tmp_path / "plan.svg"
    said = json.loads(
        run_plan(*words.split(), "-j", "--svg", str(file), code=1 if words in ("9", "1 --visible=") else 0)
    )
    root = ET.fromstring(file.read_text())
    assert root.tag == f"{SVG}svg"
    assert "prefers-color-scheme: dark" in file.read_text()
    bars = root.findall(f".//{SVG}g/{SVG}title")
    assert sorted(bar.text.partition(":")[0] for bar in bars) == sorted(
        model["mark"] for model in said["models"] for _replica in model["placement"]
    )
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter(f"{SVG}rect"):
        if box.get("x"):
            assert float(box.get("x")) >= 0
            assert float(box.get("x")) + float(box.get("width")) <= width
            assert float(box.get("y")) >= 0
            assert float(box.get("y")) + float(box.get("height")) <= height
    assert not {"href", "src"} & {name.rpartition("}")[2] for element in root.iter() for name in element.attrib}


def test_svg_of_any_name(run_plan: Run, tmp_path: Path) -> None:
    """A name can say what it likes."""
    file = tmp_path / "plan.svg"
    run_plan("<script>&\"':2", "1", "--svg", str(file))
    root = ET.fromstring(file.read_text())
    assert [element.text for element in root.iter(f"{SVG}script")] == []
    assert any(element.text == "A <script>&\"'" for element in root.iter(f"{SVG}text"))


# -- as a command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("0", "'0' is not a model"), ("4097", "is not a model"), ("two", "'two' is not a model"), ("2,,3", "'' is not a model"),
        ("0x2", "is not a model"), ("-1", "'-1' is not a model"), ("5000x1", "more than 4096 models"), ("\x1b[2J:1", "is not a name"),
        ("2 --start 1,2", "2 for 1 model"), ("2 --start one", "'one' is neither a NeuronCore index nor '.'"),
        ("2 --start 1 -f tf", "TensorFlow cannot choose"), ("1 --replicas 2 -f mx", "MXNet cannot replicate"),
        ("2 --replicas 2 -f tf", "models of one NeuronCore"), ("1 --replicas 0", "'0' is neither a number from 1 nor 'all'"),
        ("1,1,1 --replicas 1,2", "2 for 3 models"), ("1 --start 0 --replicas all", "so --start cannot be given with it"),
        ("1 --cores 9", "--cores='9': asks for more NeuronCores"), ("1 --visible 0,0", "--visible='0,0': names a"),
        ("1 --groups 9x1", "--groups='9x1': asks for 9 groups"), ("1 --instance inf9", "--instance='inf9': is not"),
        ("1 --cpus 0", "not a number of CPUs"), ("1 -f jax", "invalid choice"), ("1 --nope", "unrecognized"), ("", "required"),
    ],
)  # fmt: skip
def test_wrong_arguments(run_plan: Run, words: str, says: str) -> None:
    assert says in run_plan(*words.split(), code=2).splitlines()[-1]


def test_wrong_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names the variable, exit code 1."""
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "many")
    assert plan.main(["1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("neuron-adapters plan: NEURON_RT_NUM_CORES='many': is not a number")
    assert plan.main(["1", "--cores", "2", "-j"]) == 0, "an option is stronger"


def test_files_and_pipes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["1", "--svg", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"neuron-adapters plan: cannot write '{tmp_path}': Is a directory\n"
    command = f"{sys.executable} -m neuron_adapters.tools.cli plan 1"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"}
    for tail, code, lines in ((" > /dev/full", 1, 1), (" | true; exit ${PIPESTATUS[0]}", 0, 0), (" >&-", 0, 0)):
        done = subprocess.run(["bash", "-c", command + tail], env=env, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, lines), done.stderr


def test_documented(run_plan: Run) -> None:
    """docs/tools.md has each option and the picture; the drawing in docs/placement.md is what the command writes."""
    text = (ROOT / "docs" / "tools.md").read_text()
    assert PICTURE in text
    options = set(re.findall(r"--[a-z]+", run_plan("--help").partition("models:")[0])) - {"--help"}
    assert len(options) == 13
    assert [name for name in options if f"`{name}`" not in text] == []


def test_documented_drawing(run_plan: Run, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "placement.md").read_text()
    (words,) = re.findall(r"^neuron-adapters plan (.*) --svg plan.svg$", text, flags=re.MULTILINE)
    run_plan(*words.split(), "--svg", str(tmp_path / "plan.svg"))
    assert (tmp_path / "plan.svg").read_text() == (ROOT / "docs" / "images" / "plan.svg").read_text()
