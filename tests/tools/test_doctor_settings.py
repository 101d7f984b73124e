"""What ``neuron-adapters doctor`` finds in use and set; the doctor and the umbrella as commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doctor_findings import FIELDS, lines_of

from neuron_adapters.tools import cli, doctor
from neuron_adapters.tools.doctor import _examination, _host, _installed
from neuron_adapters.tools.doctor._variables import conflicts_of, variables_of
from neuron_rt.config import VARIABLES
from neuron_rt.locks import LockFile

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
WELL = [_installed.Trial(part, "loads", "loads (1.0 s)") for part in _installed.PARTS]


@pytest.fixture(autouse=True)
def alone(own_runtime: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


# -- who owns what -----------------------------------------------------------------------------------------------

SERVE = "import sys, neuron_rt; print(*neuron_rt.init().instance_ncs, flush=True); sys.stdin.read()"


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    running = []

    def start(**variables: str) -> int:
        env = {**os.environ, "PYTHONPATH": str(ROOT / "core"), **variables}
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process.pid

    yield start
    for process in running:
        process.communicate("", timeout=PATIENCE)


def test_owners(serve: Callable[..., int], tmp_path: Path) -> None:
    pid = serve(NEURON_RT_NUM_CORES="3", NEURON_PROCESS_TAG="blue")
    before = sorted(os.listdir(tmp_path / "state"))
    lock = LockFile(tmp_path / "state", shared=True)
    try:
        assert lock.take(9)  # an owner that has not published
        findings = _examination.examine(WELL)
    finally:
        lock.close()
    (owner,) = findings.data["owners"]
    assert (owner["pid"], owner["tag"], owner["ncs"]) == (pid, "blue", [0, 1, 2])
    assert any(line.startswith(f"process: pid {pid} [blue] owns NC0-NC2: ") for line in lines_of(findings, "ok"))
    assert "process: NC9: the owner has not published its record" in lines_of(findings, "note")
    assert "free: 12 of 16 NeuronCores are free" in lines_of(findings, "ok")
    assert findings.problems == []
    assert sorted(os.listdir(tmp_path / "state")) == before, "nothing is left behind"


def test_processes_of_another_instance(serve: Callable[..., int]) -> None:
    serve(NEURON_ADAPTERS_INSTANCE="inf2.xlarge")
    (problem,) = _examination.examine(WELL).problems
    assert problem == (
        "instance: processes run on inf2.xlarge, but NEURON_ADAPTERS_INSTANCE here is inf1.6xlarge: "
        "set it to the same value everywhere"
    )
    for lie in ("\x1b[2J", "x" * 1000, ["inf1.xlarge"], None):
        assert _examination._plain(lie) == "an invalid instance"


def test_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def state() -> str:
        return next(
            line
            for level in ("ok", "problem")
            for line in lines_of(_examination.examine(WELL), level)
            if line.startswith("state: ")
        )

    folder = tmp_path / "state"
    assert state() == f"state: {folder} (drwx------, user {os.geteuid()}); its file system supports locks"
    folder.rmdir()
    assert state() == f"state: {folder} will be made at the first load; its file system supports locks"
    assert not folder.exists()
    folder.mkdir()
    folder.chmod(0o777)
    assert "can be written to by other users" in state()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert "is a link or not a directory" in state()
    assert _host._takes_locks(folder) is None, "a link is not followed"
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(tmp_path / "no" / "state"))
    assert state() == f"state: {tmp_path / 'no' / 'state'} cannot be made: {tmp_path / 'no'} does not exist"
    assert _host._takes_locks(Path("/proc")) is None
    assert sorted(os.listdir(tmp_path)) == ["state"]


# -- variables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "level", "says"),
    [
        ("NEURON_RT_VISIBLE_CORES", "0-1,4", "ok", "takes exactly NC0-NC1,NC4 of the instance"),
        ("NEURON_RT_VISIBLE_CORES", "", "ok", "takes exactly none of the instance"),
        ("NEURON_RT_VISIBLE_CORES", "0-3,3", "problem", "names a NeuronCore twice (at '3'). Accepted: "),
        ("NEURON_RT_NUM_CORES", "13", "ok", "takes 13 NeuronCores, the lowest run that is free"),
        ("NEURON_RT_NUM_CORES", "0", "ok", "takes 16 NeuronCores"),
        ("NEURON_RT_NUM_CORES", "2,4", "ok", "takes 6 NeuronCores, the lowest run that is free, in groups of 2,4"),
        ("NEURON_RT_NUM_CORES", "17", "problem", "asks for more NeuronCores than the instance has (16)"),
        ("NEURONCORE_GROUP_SIZES", "2,4", "note", "forms groups of 2,4. Deprecated: use NEURON_RT_NUM_CORES=2,4 for the same"),
        ("NEURONCORE_GROUP_SIZES", "0x1", "problem", "asks for 0 groups"),
        ("NEURON_RT_EXEC_TIMEOUT", "2.5", "ok", "a call may take 2.5 s"),
        ("NEURON_RT_EXEC_TIMEOUT", "0", "problem", "is not a time"),
        ("NEURON_RT_VALIDATE_HASH", "true", "ok", "compiled files are checked"),
        ("NEURON_RT_VALIDATE_HASH", "0", "ok", "compiled files are not checked"),
        ("NEURON_PROCESS_TAG", "blue", "ok", "a name for this process"),
        ("NEURON_ADAPTERS_INSTANCE", "inf2.24xlarge", "ok", "emulates 12 NeuronCores on 6 devices"),
        ("NEURON_ADAPTERS_INSTANCE", "inf9", "problem", "is not an instance"),
        ("NEURON_ADAPTERS_AFFINITY", "off", "ok", "models are not bound to CPUs"),
        ("NEURON_ADAPTERS_WAIT", "60", "ok", "waits up to 60 s"),
        ("NEURON_ADAPTERS_STATE_DIR", "relative", "problem", "is not an absolute path"),
        ("NEURON_ADAPTERS_ENGINE", "openvino", "ok", "what computes compiled models: openvino"),
        ("NEURON_ADAPTERS_PLACE", "compiled", "ok", "only compiled models take NeuronCores"),
        ("NEURON_CC_FLAGS", "--neuroncore-pipeline-cores=4 --verbose 1", "ok", "models of 4 NeuronCores"),
        ("NEURON_CC_FLAGS", "--extract-weights inf1.xlarge --dynamic-batch-size", "ok", "models of 1 NeuronCore"),
        ("NEURON_CC_FLAGS", "--neuroncore-pipeline-core=4", "problem", "Unknown compiler flag '--neuroncore-pipeline-core=4'."),
        ("NEURON_CC_FLAGS", "--x 'open", "problem", "cannot be read"),
        ("NEURON_RT_LOG_LEVEL", "info", "ok", "the log shows INFO and above"),
        ("NEURON_RT_LOG_LEVEL", "loud", "problem", "is not a level"),
        ("NEURON_RT_LOG_LOCATION", "syslog", "ok", "the log goes to syslog"),
        ("NEURON_RT_LOG_LEVEL_NRT", "INFO", "note", "has no effect on emulated cores: NEURON_RT_LOG_LEVEL"),
        ("NEURON_ADAPTERS_TRACE", "/tmp/run.json", "ok", "records who runs when in /tmp/run.json"),
        ("NEURON_RTD_ADDRESS", "unix:/run/x", "note", "neuron-rtd no longer exists"),
        ("NEURON_RT_VISIBLE_CORE", "0", "problem", "unknown variable. Did you mean NEURON_RT_VISIBLE_CORES?"),
        ("NEURONCORE_GROUP_SIZE", "1", "problem", "Did you mean NEURONCORE_GROUP_SIZES?"),
        ("NEURON_ADAPTER_INSTANCE", "host", "problem", "Did you mean NEURON_ADAPTERS_INSTANCE?"),
        ("NUERON_RT_NUM_CORES", "2", "problem", "Did you mean NEURON_RT_NUM_CORES?"),
        ("neuron_rt_num_cores", "2", "problem", "Did you mean NEURON_RT_NUM_CORES?"),
        ("NEURON_OF_MY_OWN", "1", "note", "unknown variable, without effect; no known name is like it"),
    ],
)  # fmt: skip
def test_variables(name: str, value: str, level: str, says: str) -> None:
    (variable,) = variables_of({name: value, "HOME": "/", "PATH": "/bin"})
    assert (variable.name, variable.value, variable.level) == (name, value, level)
    assert says in variable.text


def test_every_variable_has_a_meaning() -> None:
    """None that the runtime reads, or that docs/environment.md names, is unknown here."""
    named = set(re.findall(r"^\| \[?`([A-Z_]+)`", (ROOT / "docs" / "environment.md").read_text(), flags=re.MULTILINE))
    for name in {*VARIABLES, *named}:
        (variable,) = variables_of({name: "1"})
        assert "unknown variable" not in variable.text, name


def test_values_are_shown_as_they_are() -> None:
    def shown(value: str) -> str:
        return variables_of({"NEURON_PROCESS_TAG": value})[0].shown.partition("=")[2]

    assert [shown(value) for value in ("blue", "", " blue", "\x1b[2J", "\udc80")] == [
        "blue",
        "''",
        "' blue'",
        r"'\x1b[2J'",
        r"'\udc80'",
    ]
    assert len(shown("x" * 5000)) == 60
    assert "\x1b" not in variables_of({"NEURON_\x1b[2J": "1"})[0].shown


def test_a_wrong_instance_does_not_hide_the_rest() -> None:
    num, instance = sorted(
        variables_of({"NEURON_ADAPTERS_INSTANCE": "x", "NEURON_RT_NUM_CORES": "17"}), key=lambda v: v.name
    )[::-1]
    assert (num.level, instance.level) == ("problem", "problem")
    assert "(16)" in num.text


def test_the_instance_that_is_set_counts() -> None:
    (problem,) = (
        variable
        for variable in variables_of({"NEURON_ADAPTERS_INSTANCE": "4", "NEURON_RT_NUM_CORES": "5"})
        if variable.level == "problem"
    )
    assert "than the instance has (4)" in problem.text


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"NEURON_RT_NUM_CORES": "2,4", "NEURONCORE_GROUP_SIZES": "4,2"}, "forms other groups than"),
        ({"NEURON_RT_NUM_CORES": "4", "NEURONCORE_GROUP_SIZES": "3,2"}, "forms groups of 5 NeuronCores in all"),
        ({"NEURON_RT_NUM_CORES": "4", "NEURON_RT_VISIBLE_CORES": "0-1"}, "overrides NEURON_RT_NUM_CORES=4"),
        ({"NEURON_RT_NUM_CORES": "1,1", "NEURON_RT_VISIBLE_CORES": "0-1"}, "without groups"),
        ({"NEURONCORE_GROUP_SIZES": "1,1", "NEURON_RT_VISIBLE_CORES": "0-1"}, "is an error for MXNet"),
        ({"NEURON_RT_NUM_CORES": "2", "NEURON_RT_VISIBLE_CORES": "0-1"}, None),
        ({"NEURON_RT_NUM_CORES": "6", "NEURONCORE_GROUP_SIZES": "4,2"}, None),
        ({"NEURON_RT_NUM_CORES": "many", "NEURON_RT_VISIBLE_CORES": "0-1"}, None),
        ({}, None),
    ],
)
def test_conflicts(environ: dict[str, str], says: str | None) -> None:
    """Values that are right each for itself."""
    conflicts = conflicts_of(environ)
    assert (says is None and conflicts == ()) or (says is not None and len(conflicts) == 1 and says in conflicts[0])


def test_wrong_variables_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "inf9")
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "4")
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "0-1")
    findings = _examination.examine(WELL)
    assert [problem.partition(":")[0] for problem in findings.problems] == ["NEURON_ADAPTERS_INSTANCE=inf9", "together"]
    text = doctor._text(findings)
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 80, "but paths stay whole"
    assert text.splitlines()[-1] == "2 problems: see [!!]."
    assert sum(line.startswith("  [!!] ") for line in text.splitlines()) == 2


# -- as a command ------------------------------------------------------------------------------------------------


def test_documented() -> None:
    text = (ROOT / "docs" / "tools.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in text] == []
    assert [name for name in cli.COMMANDS if f"`neuron-adapters {name}" not in text] == []
    for mark in doctor._MARKS.values():
        assert mark in text


def test_umbrella(capsys: pytest.CaptureFixture[str]) -> None:
    for words, code in ((["--help"], 0), (["--version"], 0), ([], 2)):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == code
    said = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", said, flags=re.MULTILINE) for name in cli.COMMANDS)
    assert max(map(len, said.splitlines())) <= 80
    assert re.search(r"^neuron-adapters [0-9.]+$", said, flags=re.MULTILINE)
    assert cli.main(["plan", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fits"]
    assert 'neuron-adapters = "neuron_adapters.tools.cli:main"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["docter"], "unknown command 'docter'. Did you mean doctor?"), (["x"], "Commands: doctor, plan, inspect, share, link-tools, ray-resources, completion."),
        (["--nope"], "unrecognized"), (["doctor", "extra"], "unrecognized"), (["doctor", "--timeout", "0"], "not a number of seconds"),
        (["doctor", "--time", "1"], "unrecognized"),
    ],
)  # fmt: skip
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "exit codes:" in said
    assert "examples:" in said
    assert max(map(len, said.splitlines())) <= 80
