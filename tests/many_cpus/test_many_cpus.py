"""SPEC X1, I3, K2, K3 on emulated machines of 4 to 16 CPUs: models compute on the CPUs of their NeuronCores, on all of
them, and on no other.

A machine boots once, and runs all scenarios that the tests ask of it (``scripts/drive.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DRIVE = [sys.executable, str(HERE / "scripts/drive.py")]
Json = dict[str, Any]

#: Options of ``machine``.
MACHINES = {
    "4 CPUs": ["--cpus=4"],
    "8 CPUs": ["--cpus=8", "--sockets=2"],
    "8 CPUs, SMT": ["--cpus=8", "--threads=2"],
    "16 CPUs": ["--cpus=16"],
    "16 CPUs, 2 sockets": ["--cpus=16", "--sockets=2"],
}
MOST_ELSEWHERE = 0.02  # share of the CPU time that threads which are not the callers' may use on other CPUs
MOST_OF_CALLERS = 0.1  # share of the callers' own Python, which runs where it may
LEAST_SHARE = 0.3  # of an equal share of its CPUs' time, which each CPU of a model has


@dataclass(frozen=True)
class Expected:
    """A model: the NCs it is compiled for, where it should be and on which CPUs."""

    need: int
    start: int
    cpus: frozenset[int]
    ncs: int = 0
    """NCs that it has where those are not ``need``: a model that was not compiled has one."""

    @property
    def placement(self) -> list[list[int]]:
        return [list(range(self.start, self.start + (self.ncs or self.need)))]


@dataclass(frozen=True)
class Scenario:
    machine: str
    framework: str
    name: str
    kind: str
    models: tuple[Expected, ...]
    action: str = "together"
    environ: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.machine}: {self.framework}, {self.name}, {self.kind}"

    def as_json(self) -> Json:
        return {
            "id": str(self), "framework": self.framework, "action": self.action, "kind": self.kind,
            "models": [(model.need, model.start, len(model.cpus)) for model in self.models], "environ": self.environ,
        }  # fmt: skip

    @property
    def engine(self) -> str:
        """What computes: MXNet's graphs have no framework behind them."""
        return self.framework if self.kind in {"plain", "framework"} and self.framework != "mx" else "openvino"

    @property
    def same_bits(self) -> bool:
        """Whether it is the framework that computes, with as many threads."""
        return self.engine == self.framework


def models(*rows: tuple[int, int, Iterable[int]], ncs: int = 0) -> tuple[Expected, ...]:
    return tuple(Expected(need, start, frozenset(cpus), ncs) for need, start, cpus in rows)


#: The guide's four models on inf1.6xlarge: a NeuronCore a CPU, and where there are fewer CPUs, NeuronCores in turn.
GUIDE = models((2, 0, {0, 1}), (4, 2, {2, 3, 4, 5}), (3, 6, {6, 7, 8}), (4, 9, {9, 10, 11, 12}))
GUIDE_OF_4 = models((2, 0, {0, 1}), (4, 2, range(4)), (3, 6, {2, 3, 0}), (4, 9, range(4)))
#: Twenty-four models on six groups.
GROUPS = (2, 3, 2, 3, 2, 4)
STARTS = [sum(GROUPS[:group]) for group in range(len(GROUPS))]
MANY = models(*[(size, start, range(start, start + size)) for size, start in zip(GROUPS, STARTS)] * 4)
#: Two NeuronCores on eight CPUs, each a socket, and on four.
HALVES = ((1, 0, range(4)), (1, 1, range(4, 8)))
HALVES_OF_4 = ((1, 0, range(2)), (1, 1, range(2, 4)))
#: Four NeuronCores, each a core of two threads; a model has one, two or one of them.
CORES = models((1, 0, {0, 1}), (2, 1, {2, 3, 4, 5}), (1, 3, {6, 7}))
#: A process with half of sixteen NeuronCores; a forked child of it has the other half.
HALF = models((2, 0, {0, 1}), (4, 2, {2, 3, 4, 5}))

#: Four loads of one file: its weights are in memory once, whichever NeuronCores compute.
ONES = models(*((1, nc, {nc}) for nc in range(4)))
PAIRS = models(*((2, nc, {nc, nc + 1}) for nc in range(0, 8, 2)))

THIRTEEN = {"NEURON_RT_NUM_CORES": "13"}
SIX_GROUPS = {"NEURON_RT_NUM_CORES": ",".join(map(str, GROUPS))}
TWO = {"NEURON_ADAPTERS_INSTANCE": "2", "NEURON_RT_NUM_CORES": "1,1"}  # groups: Keras makes no replicas then
XLARGE = {"NEURON_ADAPTERS_INSTANCE": "inf1.xlarge", "NEURON_RT_NUM_CORES": "1,2,1"}
EIGHT = {"NEURON_RT_NUM_CORES": "8"}
KINDS = {"torch": ("framework", "compiled"), "tf": ("framework", "compiled"), "mx": ("compiled",)}


def scenarios() -> Iterator[Scenario]:
    for framework, kinds in KINDS.items():
        for kind in ("plain", "compiled"):
            ncs = 1 if kind == "plain" else 0
            yield Scenario("4 CPUs", framework, "two NCs", kind, models(*HALVES_OF_4, ncs=ncs), environ=TWO)
            yield Scenario("8 CPUs", framework, "two NCs", kind, models(*HALVES, ncs=ncs), environ=TWO)
        for kind in kinds:
            yield Scenario("8 CPUs, SMT", framework, "cores", kind, CORES, environ=XLARGE)
            yield Scenario("16 CPUs, 2 sockets", framework, "guide", kind, GUIDE, environ=THIRTEEN)
            yield Scenario("16 CPUs, 2 sockets", framework, "24 models", kind, MANY, environ=SIX_GROUPS)
            yield Scenario("16 CPUs", framework, "lifecycle", kind, HALF, "lifecycle", EIGHT)
    for framework, kind in (("torch", "framework"), ("torch", "compiled"), ("mx", "compiled")):
        yield Scenario("4 CPUs", framework, "guide", kind, GUIDE_OF_4, environ=THIRTEEN)
    yield Scenario("4 CPUs", "torch", "four loads", "heavy", ONES, environ={"NEURON_ADAPTERS_INSTANCE": "4"})
    yield Scenario("16 CPUs", "torch", "four loads", "heavy", PAIRS, environ=EIGHT)
    yield Scenario("16 CPUs", "torch", "guide", "compiled", GUIDE, environ=THIRTEEN)


SCENARIOS = sorted(scenarios(), key=lambda scenario: list(KINDS).index(scenario.framework))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models, saved here: the machines see this file system."""
    path = tmp_path_factory.mktemp("models")
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'core'}:{ROOT}"}
    done = subprocess.run([*DRIVE, str(path)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest, folder: Path) -> Callable[[Scenario], Json]:
    """The result of a scenario; its machine boots at the first, and runs all that are asked of it in this session."""
    lines: dict[str, Json] = {}
    said: dict[str, str] = {}
    callspecs = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    asked = {str(callspec.params.get("scenario")) for callspec in callspecs}

    def run(machine: str) -> None:
        jobs = [scenario.as_json() for scenario in SCENARIOS if str(scenario) in asked and scenario.machine == machine]
        words = [str(HERE / "machine"), *MACHINES[machine], "--time=3000", "env", f"PYTHONPATH={ROOT / 'core'}:{ROOT}"]
        done = subprocess.run([*words, *DRIVE, str(folder), json.dumps(jobs)], cwd=ROOT, capture_output=True, text=True)
        (folder / f"{machine}.txt").write_text(done.stdout)  # to look at
        said[machine] = f"exit status {done.returncode}\n{done.stderr}"
        for line in done.stdout.splitlines():
            if line.startswith('{"id"'):
                lines[json.loads(line)["id"]] = json.loads(line)
            else:
                said[machine] += f"\n{line}"

    def result(scenario: Scenario) -> Json:
        if scenario.machine not in said:
            run(scenario.machine)
        assert str(scenario) in lines, f"{scenario.machine} did not run it: {said[scenario.machine]}"
        line = lines[str(scenario)]
        assert line["code"] == 0, f"exit status {line['code']} after {line['seconds']} s\n{line['said']}"
        return line["result"]

    return result


def work(watched: Json, *, callers: bool) -> Counter[int]:
    """CPU ticks by CPU of the callers' threads, or of all others."""
    ticks: Counter[int] = Counter()
    for thread in watched["threads"]:
        if bool(thread["role"]) == callers:
            ticks.update({int(cpu): count for cpu, count in thread["ticks"].items()})
    return ticks


def outside(ticks: Counter[int], cpus: frozenset[int]) -> int:
    return sum(count for cpu, count in ticks.items() if cpu not in cpus)


def table(watched: Json) -> str:
    """What was seen, a line a thread."""
    rows = (
        f"  {row['role'] or '-':>3} {row['name']:<16} ticks {row['ticks']} masks {row['masks']}"
        for row in watched["threads"]
    )
    return "\n".join([f"calls {watched['calls']} errors {watched['errors']}", *rows])


def check_confined(watched: Json, cpus: frozenset[int], scenario: Scenario, *, by_caller: bool = False) -> None:
    """X1: the models have used each of ``cpus``, and no other. The framework's threads could not either. The engine's are
    tied while they compute, and are one to a core. ``by_caller``: one thread computes."""
    by_engine = scenario.engine == "openvino"
    per_core = 2 if by_engine and scenario.machine.endswith("SMT") else 1
    assert not watched["errors"], table(watched)
    assert all(watched["calls"].values()), f"a model was never called\n{table(watched)}"
    callers, others = work(watched, callers=True), work(watched, callers=False)
    ticks = callers + others
    assert outside(others, cpus) <= MOST_ELSEWHERE * ticks.total(), f"threads left {sorted(cpus)}\n{table(watched)}"
    assert outside(callers, cpus) <= MOST_OF_CALLERS * ticks.total(), f"callers left {sorted(cpus)}\n{table(watched)}"
    for thread in [] if by_engine else watched["threads"]:
        if not thread["role"] and sum(thread["ticks"].values()) > MOST_ELSEWHERE * ticks.total():
            assert all(cpus >= set(mask) for mask in thread["masks"]), (
                f"a thread may leave {sorted(cpus)}\n{table(watched)}"
            )
    if by_caller:
        return
    cores = {frozenset(cpu for cpu in cpus if cpu // per_core == own // per_core) for own in cpus}
    least = LEAST_SHARE * (ticks.total() - outside(ticks, cpus)) / len(cores)
    idle = [sorted(core) for core in cores if sum(ticks[cpu] for cpu in core) < least]
    assert not idle, f"CPUs {idle} of {sorted(cpus)} hardly work\n{table(watched)}"


def check_answers(scenario: Scenario, answers: list[Json]) -> None:
    """K2, K3: what the framework answers; its bits where it computes."""
    assert len(answers) == len(scenario.models)
    assert all(answer["close"] for answer in answers), answers
    if scenario.same_bits:
        assert all(answer["same_bits"] for answer in answers), answers


def check_models(scenario: Scenario, reports: list[Json]) -> None:
    """P1, P2, P3, I3: where they are."""
    assert [report["placement"] for report in reports] == [model.placement for model in scenario.models]
    assert [report["cpus"] for report in reports] == [sorted(model.cpus) for model in scenario.models]


def check_engines(scenario: Scenario, reports: list[Json]) -> None:
    """K8: the engine runs a compiled model, whatever the number of its CPUs."""
    others = [
        f"CPUs {report['cpus']}: {report['engine']}, {report['why']}"
        for report in reports
        if report["engine"] != scenario.engine
    ]
    assert not others, "\n".join([f"{scenario.engine} should compute them", *others])


def check_masks(masks: Json) -> None:
    """The caller's mask, and that of a thread and a process that it starts, are what they were."""
    assert masks["before"]["caller"] == masks["before"]["thread"] == masks["before"]["process"]
    assert masks["after"] == masks["before"]


def of_action(*actions: str) -> pytest.MarkDecorator:
    chosen = [scenario for scenario in SCENARIOS if scenario.action in actions]
    return pytest.mark.parametrize("scenario", chosen, ids=str)


@of_action("together")
def test_placed(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    result = results(scenario)
    check_models(scenario, result["models"])
    check_masks(result["masks"])


@of_action("together")
def test_answers(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    """The same file gives the same bits on all NCs and in all runs."""
    result = results(scenario)
    check_answers(scenario, result["answers"])
    digests: dict[int, set[str]] = {}
    for model, first, last in zip(scenario.models, result["answers"], result["answers_afterwards"]):
        digests.setdefault(model.need, set()).update({first["digest"], last["digest"]})
    assert all(len(some) == 1 for some in digests.values()), digests


@of_action("together")
def test_alone(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    """A model that is called alone works on each of its CPUs."""
    watched = results(scenario)["alone"]
    assert len(watched) == len({model.start for model in scenario.models})
    for index, seen in watched.items():
        check_confined(seen, scenario.models[int(index)].cpus, scenario)


@of_action("together")
def test_together(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    """All models called at the same time work on all their CPUs, and on no other."""
    check_confined(
        results(scenario)["together"], frozenset().union(*(model.cpus for model in scenario.models)), scenario
    )


@of_action("together", "lifecycle")
def test_engine(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    result = results(scenario)
    for part in (result, *(result.get(name, {}) for name in ("first", "child", "reloaded", "again"))):
        if "models" in part:
            check_engines(scenario, part["models"])


@of_action("lifecycle")
@pytest.mark.parametrize("part", ["first", "after_fork", "reloaded", "again"])
def test_lifecycle(scenario: Scenario, part: str, results: Callable[[Scenario], Json]) -> None:
    """P6: after a fork, an unload and a load, and when all were dropped, everything is as at first."""
    seen = results(scenario)[part]
    placements = sorted(seen["models"], key=lambda report: report["placement"])
    check_models(scenario, placements)
    check_answers(scenario, seen["answers"])
    for model, watched in zip(scenario.models, seen["alone"].values()):
        check_confined(watched, model.cpus, scenario)


@of_action("lifecycle")
def test_forked(scenario: Scenario, results: Callable[[Scenario], Json]) -> None:
    """O4: a child has nothing of its parent's, and runs what it loads itself, on other CPUs."""
    result = results(scenario)
    child = result["child"]
    assert child["inherited"].startswith("ModelNotLoadedError"), child["inherited"]
    assert result["after_unload"].startswith("ModelNotLoadedError"), result["after_unload"]
    assert result["dropped"] == []
    check_masks(result["masks"])
    check_masks(child["masks"])
    check_answers(scenario, child["answers"])
    for model, report, watched in zip(scenario.models, child["models"], child["alone"].values()):
        assert report["placement"] == [[nc + 8 for nc in model.placement[0]]]
        # The engine's threads have not come with it.
        by_caller = scenario.engine == "openvino"
        check_confined(watched, frozenset(cpu + 8 for cpu in model.cpus), scenario, by_caller=by_caller)
