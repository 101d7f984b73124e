"""SPEC P8: what ``neuron-adapters plan`` draws is what the runtime does, and what it warns of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plan_command import findings

import neuron_rt
from neuron_adapters.tools import plan
from neuron_rt import Model, NeuronError, Place, PlainFramework

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


OPTIONS = {
    "NEURON_ADAPTERS_INSTANCE": "--instance", "NEURON_RT_NUM_CORES": "--cores",
    "NEURON_RT_VISIBLE_CORES": "--visible", "NEURONCORE_GROUP_SIZES": "--groups",
}  # fmt: skip


Run = Callable[..., str]


@pytest.fixture(autouse=True)
def alone(own_runtime: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's variables, 80 columns, an instance of 8 unless a test says another."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")


def planned(said: str) -> list[list[tuple[int, int]]]:
    """First and last instance NC of each replica of each model."""
    return [
        [(replica["instance_ncs"][0], replica["instance_ncs"][-1]) for replica in model["placement"]]
        for model in json.loads(said)["models"]
    ]


def really(loads: list[tuple[int, Place]]) -> list[list[tuple[int, int]]]:
    """The same of the real runtime; an empty list for what it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runtime = neuron_rt.init()
        kept, placed = [], []
        for need, where in loads:
            kept.append(model := Model("model", need, PlainFramework(), kind="plain"))
            try:
                ranges = runtime.place(model, where)
            except NeuronError:
                ranges = ()
            placed.append([(replica.instance_ncs[0], replica.instance_ncs[-1]) for replica in ranges])
    return placed


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
    monkeypatch: pytest.MonkeyPatch, run_plan: Run, environ: dict[str, str], words: str, loads: list[tuple[int, Place]],
    expected: list[list[tuple[int, int]]],
) -> None:  # fmt: skip
    """P8: the plan by the environment, the plan by options, and the runtime say the same."""
    code = 0 if all(expected) else 1
    options = [f"{OPTIONS[name]}={value}" for name, value in environ.items()]
    by_options = run_plan(*words.split(), *options, "-j", code=code)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = run_plan(*words.split(), "-j", code=code)
    assert planned(said) == really(loads) == expected
    assert json.loads(by_options) == json.loads(said)


@pytest.mark.parametrize(
    ("environ", "words", "says"),
    [
        ({"NEURON_ADAPTERS_INSTANCE": "4"}, "2 -f mx --start 3", "(NRT status 9).* Valid starts for it: 0 to 2"),
        ({"NEURONCORE_GROUP_SIZES": "[1,1,1]"}, "2 -f mx --start 1", "(NRT status 9).* group 1 has 1"),
        ({"NEURON_RT_VISIBLE_CORES": ""}, "1", "this process sees 0"),
        ({"NEURONCORE_GROUP_SIZES": "2,2", "NEURON_RT_VISIBLE_CORES": "0-3"}, "1 -f mx --start 0", "a group or an NC"),
        ({}, "2 --start 8", "start_nc=8 is not a visible NeuronCore: 0 to 7"),
        ({}, "2 --replicas 5", "nc_count=10 is not a number of visible NeuronCores: 1 to 8"),
        ({}, "9", "needs 9 consecutive"),
    ],
)
def test_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, run_plan: Run, environ: dict[str, str], words: str, says: str
) -> None:
    """P4: in the words of the load, exit code 1; what comes after is planned."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = json.loads(run_plan(*words.split(), "-j", code=1))
    (error,) = (finding for finding in said["findings"] if finding["level"] == "error")
    assert re.search(says, error["text"])
    assert said["models"][0]["error"] in error["text"]
    assert error["models"] == ["A"]
    assert not said["fits"]
    assert "does not fit" in run_plan(*words.split(), code=1)


def test_a_later_model_is_planned(run_plan: Run) -> None:
    assert planned(run_plan("9,2", "-j", code=1)) == [[], [(0, 1)]]
    assert run_plan("9,2", code=1).splitlines()[-1] == "1 of 2 models fit."


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
    serve: Callable[..., list[int]], run_plan: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P8, O2, O3: the script run twice; five processes of three NCs on 16, then a sixth; nothing is taken by asking."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "16")
    assert planned(run_plan("1,1", "--cores", "2", "--now", "-j")) == [[(0, 0)], [(1, 1)]], "nobody has ever been here"
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "3")
    for first in range(0, 15, 3):
        assert planned(run_plan("3", "--now", "-j")) == [[(first, first + 2)]]
        assert serve() == [first, first + 1, first + 2]
        assert planned(run_plan("1,1", "--visible", "15,0", "-j")) == [[(15, 15)], [(0, 0)]], (
            "without --now nobody is there"
        )
    assert planned(run_plan("3", "-j")) == [[(0, 2)]]
    assert plan.main(["3", "--now"]) == 1
    assert "Requested:3 Available:1. pid " in capsys.readouterr().err
    assert planned(run_plan("1", "--now", "--visible", "15", "-j")) == [[(15, 15)]]


def test_now_says_who_is_there(serve: Callable[..., list[int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(NEURON_PROCESS_TAG="blue") == list(range(8))
    assert plan.main(["1", "--now", "--visible", "1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        r"neuron-adapters plan: NeuronCore\(s\) not available - Requested:nc1-nc1 Available:0\. pid \d+ \[blue\] owns .*\n",
        said.err,
    )


def test_it_takes_nothing(run_plan: Run, tmp_path: Path) -> None:
    run_plan("1", "--now")
    assert list((tmp_path / "state").iterdir()) == []
    assert neuron_rt.current() is None


def test_sharing(run_plan: Run) -> None:
    said = run_plan("2,4,2,1", "--cores", "6", "--cpus", "8", "-j")
    shared = [finding for finding in json.loads(said)["findings"] if finding["kind"] == "shared"]
    assert [(finding["models"], finding["ncs"]) for finding in shared] == [(["A", "C"], [0, 1]), (["B", "D"], [2])]
    assert shared[0]["text"].startswith("A and C share NC0-NC1: they never run at the same moment")


def test_idle(run_plan: Run) -> None:
    said = run_plan("2,4", "--cpus", "8", "-j")
    assert findings(said) == {"idle": ([], [6, 7])}
    assert "NEURON_RT_NUM_CORES=6 leaves them to others" in said
    said = run_plan("2", "--visible", "4-6", "--cpus", "8", "-j")
    assert "NEURON_RT_VISIBLE_CORES=4-5 leaves it to others" in said
    assert "leaves" not in run_plan("1", "--start", "3", "--cpus", "8", "-j"), "none but the last can be left out"


def test_cpus_in_turn(run_plan: Run) -> None:
    """I3: NC0 and NC4 stand on CPU 0. Models that share NCs take turns anyway."""
    said = json.loads(run_plan("4,1,1", "--cpus", "4", "--cores", "6", "-j"))
    (in_turn,) = (finding for finding in said["findings"] if finding["kind"] == "same_cpus")
    assert in_turn["models"] == ["A", "B", "C"]
    assert "(0-1)" in in_turn["text"]
    assert "6 NeuronCores share 4 CPUs" in in_turn["text"]
    assert [model["cpus"] for model in said["models"]] == [[0, 1, 2, 3], [0], [1]]
    assert "same_cpus" not in findings(run_plan("4,1,1", "--cpus", "8", "--cores", "6", "-j"))
    assert "same_cpus" not in findings(run_plan("2,2", "--cpus", "4", "--cores", "2", "-j"))


def test_cpus_are_the_runtime_s(run_plan: Run) -> None:
    runtime = neuron_rt.init()
    said = json.loads(run_plan("1", "-j"))
    assert [set(nc["cpus"]) for nc in said["ncs"]] == [set(runtime.cpus(nc)) for nc in range(8)]


def test_no_affinity(run_plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """I4: nothing is tied to a CPU."""
    monkeypatch.setenv("NEURON_ADAPTERS_AFFINITY", "off")
    said = run_plan("1,1", "--cpus", "1", "-j")
    assert [model["cpus"] for model in json.loads(said)["models"]] == [[], []]
    assert "same_cpus" not in findings(said)


def test_replicas_nobody_asked_for(run_plan: Run) -> None:
    assert findings(run_plan("1,2", "-f", "tf", "--cpus", "8", "-j"))["replicated"] == (["A"], [])
    assert "replicated" not in findings(run_plan("1", "-f", "tf", "--replicas", "4", "--cpus", "8", "-j"))


def test_deprecated(run_plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONCORE_GROUP_SIZES", "2,2")
    said = run_plan("2,2,3", "--cpus", "8")
    assert "use NEURON_RT_NUM_CORES=2,2 for the" in said
    assert "A model of 3 NeuronCores is placed across groups" in said


def test_an_option_is_stronger(run_plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "4-5")
    assert json.loads(run_plan("1", "--cores", "3", "-j"))["instance_ncs"] == [0, 1, 2]
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2,2")
    monkeypatch.delenv("NEURON_RT_VISIBLE_CORES")
    assert json.loads(run_plan("1", "--groups", "1,1,1", "-j"))["instance_ncs"] == [0, 1, 2]
    assert json.loads(run_plan("1", "--visible", "7", "-j"))["groups"] == []


SPANS = "a CPU reads weights and intermediate results in another node's memory more slowly than in its own."


@pytest.mark.parametrize(
    ("words", "marks", "ncs", "texts"),
    [
        (
            "2,4,3,4 --cores 13 --cpus 16 --nodes 2 -i 16", ["C"], [6, 7, 8],
            ["NC6-NC8, where C computes, spans NUMA nodes 0 and 1 (NC6-NC7 on node 0, NC8 on node 1): " + SPANS,
             "3 NeuronCores are within a node anywhere in NC0-NC7 (node 0) or NC8-NC12 (node 1): load the models in",
             "neuron_cores_context"],
        ),
        (
            "4,2,4,2 -f mx --start 6,0,6,2 --cpus 16 --nodes 2 -i 16", ["A", "C"], [6, 7, 8, 9],
            ["NC6-NC9, where A and C compute, spans", "bind it to another mx.neuron(i)"],
        ),
        (
            "2,3 -f tf --cores 7,3 --cpus 16 --nodes 2 -i 16", ["B"], [7, 8, 9],
            ["NC7-NC9 of group 1, where B computes", "anywhere in NC0-NC7 (node 0): ", "NEURON_RT_NUM_CORES="],
        ),
        ("8 --cpus 8 --nodes 2", ["A"], [*range(8)], ["No node has 8 NeuronCores in a row: compile for 4 at most"]),
        # NeuronCores in turn: neighbours are on neighbouring CPUs, round and round.
        ("1,2 --cpus 4 --nodes 2 -f mx --start 0,1", ["B"], [1, 2],
         ["(NC1 on node 0, NC2 on node 1)", "NC0-NC1 (node 0) or NC4-NC5 (node 0) or NC2-NC3 (node 1) or NC6-NC7"]),
        ("1 --cpus 8 --nodes 4 -i 2", ["A"], [0], ["spans NUMA nodes 0 and 1: ", "with 4 NeuronCores or more keeps"]),
    ],
)  # fmt: skip
def test_spans_nodes(run_plan: Run, words: str, marks: list[str], ncs: list[int], texts: list[str]) -> None:
    """I3: which model has CPUs of several NUMA nodes, which nodes, what that costs and what to do."""
    said = run_plan(*words.split(), "-j")
    assert findings(said)["spans_nodes"] == (marks, ncs)
    (text,) = [finding["text"] for finding in json.loads(said)["findings"] if finding["kind"] == "spans_nodes"]
    assert [part for part in texts if part not in text] == [], text


def test_within_nodes(run_plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of models within a node, nor where models are bound to no CPUs."""
    words = ["4,4,2,3", "--cores=13", "--cpus=16", "--nodes=2", "--instance=16", "-j"]
    said = run_plan(*words)
    assert "spans_nodes" not in findings(said)
    assert [nc["nodes"] for nc in json.loads(said)["ncs"]] == [[0]] * 8 + [[1]] * 5
    words[0] = "3,3,3"
    assert "spans_nodes" in findings(run_plan(*words))
    monkeypatch.setenv("NEURON_ADAPTERS_AFFINITY", "off")
    assert "spans_nodes" not in findings(run_plan(*words))


@pytest.mark.parametrize("words", ["1 --nodes 2", "1 --cpus 6 --nodes 4"])
def test_nodes_of_no_machine(run_plan: Run, words: str) -> None:
    assert "--nodes" in run_plan(*words.split(), code=2)
