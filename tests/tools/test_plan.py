"""SPEC P8: what `neuron-adapters plan` draws is what the runtime does; what it warns of; what it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neuron_rt
from neuron_adapters.tools import plan
from neuron_rt import Model, NeuronError, Place, PlainFramework

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
OPTIONS = {
    "NEURON_ADAPTERS_INSTANCE": "--instance", "NEURON_RT_NUM_CORES": "--cores",
    "NEURON_RT_VISIBLE_CORES": "--visible", "NEURONCORE_GROUP_SIZES": "--groups",
}  # fmt: skip
FIELDS = {
    "": ["fits", "framework", "instance", "instance_ncs", "groups", "ncs", "models", "findings"],
    "instance": ["name", "nc_count", "ncs_per_device", "cpu_count"],
    "ncs": ["nc", "instance_nc", "device", "cpus", "models"],
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


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str, code: int = 0) -> str:
        try:
            ended = plan.main(words)
        except SystemExit as error:
            ended = int(error.code or 0)
        said = capsys.readouterr()
        assert ended == code, said
        assert bool(said.err) == (code == 2), said
        return said.out + said.err

    return call


def planned(said: str) -> list[list[tuple[int, int]]]:
    """First and last instance NC of each replica of each model."""
    return [
        [(one["instance_ncs"][0], one["instance_ncs"][-1]) for one in model["placement"]]
        for model in json.loads(said)["models"]
    ]


def really(loads: list[tuple[int, Place]]) -> list[list[tuple[int, int]]]:
    """The same of the real runtime; an empty list for what it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runtime = neuron_rt.init()
        kept, found = [], []
        for need, where in loads:
            kept.append(model := Model("model", need, PlainFramework(), kind="plain"))
            try:
                ranges = runtime.place(model, where)
            except NeuronError:
                ranges = ()
            found.append([(one.instance_ncs[0], one.instance_ncs[-1]) for one in ranges])
    return found


SIXTEEN = {"NEURON_ADAPTERS_INSTANCE": "16"}
THIRTEEN = {**SIXTEEN, "NEURON_RT_NUM_CORES": "13"}
GUIDE = [[(0, 1)], [(2, 5)], [(6, 8)], [(9, 12)]]
#: Environment, arguments, what the runtime is asked for, first and last NC of each replica.
GOLDEN = {
    "nothing set": ({}, "1,1", [(1, Place()), (1, Place())], [[(0, 0)], [(1, 1)]]),
    "two": ({"NEURON_RT_NUM_CORES": "2"}, "1,1", [(1, Place()), (1, Place())], [[(0, 0)], [(1, 1)]]),
    "visible": ({"NEURON_RT_VISIBLE_CORES": "4-5"}, "1,1", [(1, Place()), (1, Place())], [[(4, 4)], [(5, 5)]]),
    "1, 2, 1": (
        {"NEURON_RT_VISIBLE_CORES": "0-1"}, "1,2,1", [(1, Place()), (2, Place()), (1, Place())],
        [[(0, 0)], [(0, 1)], [(1, 1)]],
    ),
    "one group": ({"NEURONCORE_GROUP_SIZES": "4"}, "4", [(4, Place())], [[(0, 3)]]),
    "three groups": (
        {"NEURONCORE_GROUP_SIZES": "3,4,1"}, "3,4,1", [(3, Place()), (4, Place()), (1, Place())],
        [[(0, 2)], [(3, 6)], [(7, 7)]],
    ),
    "groups in turn": (
        {"NEURONCORE_GROUP_SIZES": "2,2"}, "2,2,1,1,1", [(need, Place()) for need in (2, 2, 1, 1, 1)],
        [[(0, 1)], [(2, 3)], [(0, 0)], [(2, 2)], [(0, 0)]],
    ),
    "across groups": (
        {"NEURONCORE_GROUP_SIZES": "2,2"}, "2,2,3", [(need, Place()) for need in (2, 2, 3)],
        [[(0, 1)], [(2, 3)], [(0, 2)]],
    ),
    "four groups": (
        {"NEURONCORE_GROUP_SIZES": "2,2,2,2"}, "4x2", [(2, Place())] * 4, [[(0, 1)], [(2, 3)], [(4, 5)], [(6, 7)]],
    ),
    "contexts": (
        {"NEURON_RT_NUM_CORES": "4"}, "2,3,2,1 --start 2,0,0,3",
        [(2, Place(2)), (3, Place(0)), (2, Place(0)), (1, Place(3))], [[(2, 3)], [(0, 2)], [(0, 1)], [(3, 3)]],
    ),
    "multicore": (
        {"NEURON_RT_NUM_CORES": "8"}, "1 --replicas all", [(1, Place(0, 8))], [[(nc, nc) for nc in range(8)]],
    ),
    "two replicas": (
        {"NEURON_RT_NUM_CORES": "8"}, "2 --start 2 --replicas 2", [(2, Place(2, 4))], [[(2, 3), (4, 5)]],
    ),
    "guide": (THIRTEEN, "2,4,3,4", [(need, Place()) for need in (2, 4, 3, 4)], GUIDE),
    "guide, tf": (THIRTEEN, "2,4,3,4 -f tf", [(need, Place()) for need in (2, 4, 3, 4)], GUIDE),
    "guide, mx": (
        THIRTEEN, "2,4,3,4 -f mx --start 0,2,6,9",
        [(2, Place(0)), (4, Place(2)), (3, Place(6)), (4, Place(9))], GUIDE,
    ),
    "guide, mx groups": (
        {**SIXTEEN, "NEURONCORE_GROUP_SIZES": "2,4,3,4"}, "2,4,3,4 -f mx --start 0,1,2,3",
        [(2, Place(0)), (4, Place(2)), (3, Place(6)), (4, Place(9))], GUIDE,
    ),
    "mx": (
        SIXTEEN, "3,2,4,4 -f mx --start 0,3,5,9", [(3, Place(0)), (2, Place(3)), (4, Place(5)), (4, Place(9))],
        [[(0, 2)], [(3, 4)], [(5, 8)], [(9, 12)]],
    ),
    "mx in part": (SIXTEEN, "4,3 -f mx --start 2,5", [(4, Place(2)), (3, Place(5))], [[(2, 5)], [(5, 7)]]),
    "mx beyond": ({"NEURON_ADAPTERS_INSTANCE": "4"}, "2 -f mx --start 3", [(2, Place(3))], [[]]),
    "sharing all": ({"NEURON_RT_NUM_CORES": "2"}, "2,2", [(2, Place())] * 2, [[(0, 1)], [(0, 1)]]),
    "mixed groups": (
        {"NEURON_RT_NUM_CORES": "6"}, "2,4,4,4 -f mx --start 0,2,2,2", [(2, Place(0)), *[(4, Place(2))] * 3],
        [[(0, 1)], [(2, 5)], [(2, 5)], [(2, 5)]],
    ),
    "group index": ({"NEURONCORE_GROUP_SIZES": "[1,2,1]"}, "2 -f mx --start 1", [(2, Place(1))], [[(1, 2)]]),
    "tf, Nx1": (
        {"NEURONCORE_GROUP_SIZES": "4x1"}, "1 -f tf", [(1, Place(starts=(0, 1, 2, 3)))],
        [[(0, 0), (1, 1), (2, 2), (3, 3)]],
    ),
    "tf, up to four": ({}, "1 -f tf", [(1, Place(copies=4))], [[(0, 0), (1, 1), (2, 2), (3, 3)]]),
    "tf, two NCs": ({"NEURON_RT_NUM_CORES": "2"}, "1 -f tf", [(1, Place(copies=4))], [[(0, 0), (1, 1)]]),
    "tf, auto_multicore": ({}, "1 -f tf --replicas 6", [(1, Place(count=6))], [[(nc, nc) for nc in range(6)]]),
    "tf, groups": ({"NEURONCORE_GROUP_SIZES": "1,3"}, "1,1 -f tf", [(1, Place())] * 2, [[(0, 0)], [(1, 1)]]),
    "list": ({"NEURON_RT_NUM_CORES": "2,4,2"}, "2,4,2,1", [(n, Place()) for n in (2, 4, 2, 1)],
             [[(0, 1)], [(2, 5)], [(6, 7)], [(0, 0)]]),
    "apart": ({"NEURON_RT_VISIBLE_CORES": "5,2,3"}, "2,3", [(2, Place()), (3, Place())], [[(2, 3)], []]),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "words", "loads", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_golden(
    monkeypatch: pytest.MonkeyPatch, run: Run, environ: dict[str, str], words: str, loads: list[tuple[int, Place]],
    expected: list[list[tuple[int, int]]],
) -> None:  # fmt: skip
    """P8: the plan by the environment, the plan by options, and the runtime say the same."""
    code = 0 if all(expected) else 1
    options = [f"{OPTIONS[name]}={value}" for name, value in environ.items()]
    by_options = run(*words.split(), *options, "-j", code=code)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = run(*words.split(), "-j", code=code)
    assert planned(said) == really(loads) == expected
    assert json.loads(by_options) == json.loads(said)


@pytest.mark.parametrize(
    ("environ", "words", "says"),
    [
        ({"NEURON_ADAPTERS_INSTANCE": "4"}, "2 -f mx --start 3", "(NRT status 9).* Valid starts for it: 0 to 2"),
        ({"NEURONCORE_GROUP_SIZES": "[1,1,1]"}, "2 -f mx --start 1", "(NRT status 9).* group 1 has 1"),
        ({"NEURON_RT_VISIBLE_CORES": ""}, "1", "this process sees 0"),
        ({"NEURONCORE_GROUP_SIZES": "2,2", "NEURON_RT_VISIBLE_CORES": "0-3"}, "1 -f mx --start 0", "a group and an NC"),
        ({}, "2 --start 8", "start_nc=8 is not a visible NeuronCore: 0 to 7"),
        ({}, "2 --replicas 5", "nc_count=10 is not a number of visible NeuronCores: 1 to 8"),
        ({}, "9", "needs 9 consecutive"),
    ],
)
def test_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, run: Run, environ: dict[str, str], words: str, says: str
) -> None:
    """P4: in the words of the load, exit code 1; what comes after is planned."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = json.loads(run(*words.split(), "-j", code=1))
    (error,) = (one for one in said["findings"] if one["level"] == "error")
    assert re.search(says, error["text"])
    assert said["models"][0]["error"] in error["text"]
    assert error["models"] == ["A"]
    assert not said["fits"]
    assert "does not fit" in run(*words.split(), code=1)


def test_a_later_model_is_planned(run: Run) -> None:
    assert planned(run("9,2", "-j", code=1)) == [[], [(0, 1)]]
    assert run("9,2", code=1).splitlines()[-1] == "1 of 2 models fit."


# -- other processes ---------------------------------------------------------------------------------------------

SERVE = "import sys, neuron_rt; print(*neuron_rt.init().instance_ncs, flush=True); sys.stdin.read()"


@pytest.fixture
def serve() -> Iterator[Callable[..., list[int]]]:
    """A process that takes its NCs and keeps them until the test ends; returns them."""
    running = []

    def start(**variables: str) -> list[int]:
        env = {**os.environ, "PYTHONPATH": str(ROOT / "core"), **variables}
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        return [int(nc) for nc in process.stdout.readline().split()]

    yield start
    for process in running:
        process.communicate("", timeout=PATIENCE)


def test_now(
    serve: Callable[..., list[int]], run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P8, O2, O3: the script run twice; five processes of three NCs on 16, then a sixth; nothing is taken by asking."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "16")
    assert planned(run("1,1", "--cores", "2", "--now", "-j")) == [[(0, 0)], [(1, 1)]], "nobody has ever been here"
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "3")
    for first in range(0, 15, 3):
        assert planned(run("3", "--now", "-j")) == [[(first, first + 2)]]
        assert serve() == [first, first + 1, first + 2]
        assert planned(run("1,1", "--visible", "15,0", "-j")) == [[(15, 15)], [(0, 0)]], "without --now nobody is there"
    assert planned(run("3", "-j")) == [[(0, 2)]]
    assert plan.main(["3", "--now"]) == 1
    assert "Requested:3 Available:1. pid " in capsys.readouterr().err
    assert planned(run("1", "--now", "--visible", "15", "-j")) == [[(15, 15)]]


def test_now_says_who_is_there(serve: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(NEURON_PROCESS_TAG="blue") == list(range(8))
    assert plan.main(["1", "--now", "--visible", "1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        r"neuron-adapters plan: NeuronCore\(s\) not available - Requested:nc1-nc1 Available:0\. pid \d+ \[blue\] owns .*\n",
        said.err,
    )


def test_it_takes_nothing(run: Run, tmp_path: Path) -> None:
    run("1", "--now")
    assert list((tmp_path / "state").iterdir()) == []
    assert neuron_rt.current() is None


# -- what it warns of --------------------------------------------------------------------------------------------


def findings(said: str) -> dict[str, tuple[list[str], list[int]]]:
    return {one["kind"]: (one["models"], one["ncs"]) for one in json.loads(said)["findings"]}


def test_sharing(run: Run) -> None:
    said = run("2,4,2,1", "--cores", "6", "--cpus", "8", "-j")
    shared = [one for one in json.loads(said)["findings"] if one["kind"] == "shared"]
    assert [(one["models"], one["ncs"]) for one in shared] == [(["A", "C"], [0, 1]), (["B", "D"], [2])]
    assert shared[0]["text"].startswith("A and C share NC0-NC1: they never run at the same moment")


def test_idle(run: Run) -> None:
    said = run("2,4", "--cpus", "8", "-j")
    assert findings(said) == {"idle": ([], [6, 7])}
    assert "NEURON_RT_NUM_CORES=6 leaves them to others" in said
    said = run("2", "--visible", "4-6", "--cpus", "8", "-j")
    assert "NEURON_RT_VISIBLE_CORES=4-5 leaves it to others" in said
    assert "leaves" not in run("1", "--start", "3", "--cpus", "8", "-j"), "none but the last can be left out"


def test_cpus_in_turn(run: Run) -> None:
    """I3: NC0 and NC4 stand on CPU 0. Models that share NCs take turns anyway."""
    said = json.loads(run("4,1,1", "--cpus", "4", "--cores", "6", "-j"))
    (found,) = (one for one in said["findings"] if one["kind"] == "same_cpus")
    assert found["models"] == ["A", "B", "C"]
    assert "(0-1)" in found["text"]
    assert "6 NeuronCores stand on 4 CPUs" in found["text"]
    assert [one["cpus"] for one in said["models"]] == [[0, 1, 2, 3], [0], [1]]
    assert "same_cpus" not in findings(run("4,1,1", "--cpus", "8", "--cores", "6", "-j"))
    assert "same_cpus" not in findings(run("2,2", "--cpus", "4", "--cores", "2", "-j"))


def test_cpus_are_the_runtime_s(run: Run) -> None:
    runtime = neuron_rt.init()
    said = json.loads(run("1", "-j"))
    assert [set(one["cpus"]) for one in said["ncs"]] == [set(runtime.cpus(nc)) for nc in range(8)]


def test_no_affinity(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """I4: nothing is tied to a CPU."""
    monkeypatch.setenv("NEURON_ADAPTERS_AFFINITY", "off")
    said = run("1,1", "--cpus", "1", "-j")
    assert [one["cpus"] for one in json.loads(said)["models"]] == [[], []]
    assert "same_cpus" not in findings(said)


def test_replicas_nobody_asked_for(run: Run) -> None:
    assert findings(run("1,2", "-f", "tf", "--cpus", "8", "-j"))["replicated"] == (["A"], [])
    assert "replicated" not in findings(run("1", "-f", "tf", "--replicas", "4", "--cpus", "8", "-j"))


def test_deprecated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", "2,2")
    said = run("2,2,3", "--cpus", "8")
    assert "use NEURON_RT_NUM_CORES=2,2 for the" in said
    assert "A model of 3 NeuronCores is placed across groups" in said


def test_an_option_is_stronger(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "4-5")
    assert json.loads(run("1", "--cores", "3", "-j"))["instance_ncs"] == [0, 1, 2]
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2,2")
    monkeypatch.delenv("NEURON_RT_VISIBLE_CORES")
    assert json.loads(run("1", "--groups", "1,1,1", "-j"))["instance_ncs"] == [0, 1, 2]
    assert json.loads(run("1", "--visible", "7", "-j"))["groups"] == []


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


def test_picture(run: Run) -> None:
    assert run("2,4,3,4,2", "--cores", "13", "--instance", "inf1.6xlarge", "--cpus", "16") == PICTURE


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


def test_every_picture_fits(run: Run) -> None:
    """80 columns, whatever is asked; 40 where there are no more."""
    cases = (
        "64x1 --instance inf1.24xlarge", "20x2 --instance inf1.24xlarge --cores 4", "1 --instance 4096",
        "16x8 --instance trn2.48xlarge -f mx", "2,1 --visible 15,3,4,9 --instance inf1.6xlarge",
        "1,1,1 -f tf --instance trn1.2xlarge", f"{'n' * 60}:2,5 --groups 2,2,4", "100x1 --cores 1",
    )  # fmt: skip
    for case in cases:
        for columns in (80, 40):
            os.environ["COLUMNS"] = str(columns)  # monkeypatch puts it back
            said = run(*case.split())
            assert max(map(len, said.splitlines())) <= columns, said


def test_idle_bands_are_named_only(run: Run) -> None:
    said = run("1", "--instance", "inf1.24xlarge", "--cpus", "64")
    assert "\nNC16-NC63: idle\n" in said
    assert said.count("device") == 1


def test_json_has_the_documented_fields(run: Run) -> None:
    said = json.loads(run("a:2,2,1", "--groups", "2,2,2", "--cpus", "8", "-j"))
    assert list(said) == FIELDS[""]
    assert list(said["instance"]) == FIELDS["instance"]
    for name in ("ncs", "models", "groups", "findings"):
        assert said[name]
        assert all(list(one) == FIELDS[name] for one in said[name])
    assert all(list(one) == FIELDS["placement"] for model in said["models"] for one in model["placement"])
    assert said["ncs"][0] == {"nc": 0, "instance_nc": 0, "device": 0, "cpus": [0], "models": ["A"]}
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
def test_svg(run: Run, tmp_path: Path, words: str) -> None:
    """Valid XML that depends on nothing: a bar for each replica, inside the page."""
    file = tmp_path / "plan.svg"
    said = json.loads(run(*words.split(), "-j", "--svg", str(file), code=1 if words in ("9", "1 --visible=") else 0))
    root = ET.fromstring(file.read_text())
    assert root.tag == f"{SVG}svg"
    assert "prefers-color-scheme: dark" in file.read_text()
    bars = root.findall(f".//{SVG}g/{SVG}title")
    assert sorted(bar.text.partition(":")[0] for bar in bars) == sorted(
        model["mark"] for model in said["models"] for _one in model["placement"]
    )
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter(f"{SVG}rect"):
        if box.get("x"):
            assert float(box.get("x")) >= 0
            assert float(box.get("x")) + float(box.get("width")) <= width
            assert float(box.get("y")) >= 0
            assert float(box.get("y")) + float(box.get("height")) <= height
    assert not {"href", "src"} & {name.rpartition("}")[2] for one in root.iter() for name in one.attrib}


def test_svg_of_any_name(run: Run, tmp_path: Path) -> None:
    """A name can say what it likes."""
    file = tmp_path / "plan.svg"
    run("<script>&\"':2", "1", "--svg", str(file))
    root = ET.fromstring(file.read_text())
    assert [one.text for one in root.iter(f"{SVG}script")] == []
    assert any(one.text == "A <script>&\"'" for one in root.iter(f"{SVG}text"))


# -- as a command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("0", "'0' is no model"), ("4097", "is no model"), ("two", "'two' is no model"), ("2,,3", "'' is no model"),
        ("0x2", "is no model"), ("-1", "'-1' is no model"), ("5000x1", "more than 4096 models"), ("\x1b[2J:1", "is no name"),
        ("2 --start 1,2", "2 for 1 model"), ("2 --start one", "'one' is neither a NeuronCore index nor '.'"),
        ("2 --start 1 -f tf", "TensorFlow has no call"), ("1 --replicas 2 -f mx", "MXNet has no call"),
        ("2 --replicas 2 -f tf", "models of one NeuronCore"), ("1 --replicas 0", "'0' is neither a number from 1 nor 'all'"),
        ("1,1,1 --replicas 1,2", "2 for 3 models"), ("1 --start 0 --replicas all", "says another start"),
        ("1 --cores 9", "--cores='9': asks for more NeuronCores"), ("1 --visible 0,0", "--visible='0,0': names a"),
        ("1 --groups 9x1", "--groups='9x1': asks for 9 groups"), ("1 --instance inf9", "--instance='inf9': is not"),
        ("1 --cpus 0", "no number of CPUs"), ("1 -f jax", "invalid choice"), ("1 --nope", "unrecognized"), ("", "required"),
    ],
)  # fmt: skip
def test_wrong_arguments(run: Run, words: str, says: str) -> None:
    assert says in run(*words.split(), code=2).splitlines()[-1]


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


def test_documented(run: Run) -> None:
    """docs/tools.md has each option and the picture; the drawing in docs/placement.md is what the command writes."""
    text = (ROOT / "docs" / "tools.md").read_text()
    assert PICTURE in text
    options = set(re.findall(r"--[a-z]+", run("--help").partition("models:")[0])) - {"--help"}
    assert len(options) == 11
    assert [name for name in options if f"`{name}`" not in text] == []


def test_documented_drawing(run: Run, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "placement.md").read_text()
    (words,) = re.findall(r"^neuron-adapters plan (.*) --svg plan.svg$", text, flags=re.MULTILINE)
    run(*words.split(), "--svg", str(tmp_path / "plan.svg"))
    assert (tmp_path / "plan.svg").read_text() == (ROOT / "docs" / "images" / "plan.svg").read_text()
