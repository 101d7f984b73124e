"""`neuron-adapters doctor`, on installations that are whole, broken, hanging and missing; and the umbrella command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuron_adapters.tools import cli, doctor
from neuron_adapters.tools.doctor import _examination, _host, _installed
from neuron_adapters.tools.doctor._variables import conflicts_of, variables_of
from neuron_rt import Config
from neuron_rt.config import VARIABLES
from neuron_rt.instance import INSTANCE_TYPES, Cpu
from neuron_rt.locks import LockFile

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
FIELDS = [
    "versions", "python", "shadowed", "adapters", "instance", "machine", "owners", "free", "state_directory",
    "variables", "conflicts", "problems",
]  # fmt: skip
WELL = [_installed.Trial(part, "loads", "loads (1.0 s)") for part in _installed.PARTS]

Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def alone(own_runtime: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fakes(tmp_path: Path) -> Callable[..., None]:
    """Packages that stand before the installed ones."""

    def make(**sources: str) -> None:
        for name, source in sources.items():
            folder = tmp_path / "fakes" / name
            folder.mkdir(parents=True)
            (folder / "__init__.py").write_text(source)

    return make


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join([str(tmp_path / "fakes"), str(ROOT / "core"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def run_doctor(environment: dict[str, str]) -> Doctor:
    """The command in a process of its own."""

    def run(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.doctor", *words],
            env={**environment, **variables}, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert bool(done.stderr) == (code == 2), done.stderr
        return done

    return run


def lines_of(found: _examination.Findings, level: str) -> list[str]:
    return [f"{line.name}: {line.text}" for _title, lines in found.sections for line in lines if line.level == level]


# -- what loads --------------------------------------------------------------------------------------------------


def test_all_is_well(run_doctor: Doctor, tmp_path: Path) -> None:
    """Every adapter of this environment really loads; nothing is started or taken."""
    found = json.loads(run_doctor("--json").stdout)
    assert list(found) == FIELDS
    assert {name: one["state"] for name, one in found["adapters"].items()} == dict.fromkeys(
        ("torch", "tf", "mx", "engine"), "loads"
    )
    assert found["problems"] == []
    assert found["versions"]["torch"]
    assert found["versions"]["tensorflow"]
    assert found["versions"]["neuron-adapters"]
    assert found["instance"]["nc_count"] == len(found["instance"]["cpus_of_ncs"]) == found["free"] == 16
    assert list((tmp_path / "state").iterdir()) == []


HANG = "import os, signal, time; signal.alarm(0); open('pid', 'w').write(str(os.getpid())); time.sleep(600)"


def dead(pid: int) -> bool:
    """Ended, or about to: a signal takes a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_broken_installations(run_doctor: Doctor, fakes: Callable[..., None], tmp_path: Path) -> None:
    """One that raises, one that hangs, one that takes Python along: each is one line with a command that mends it."""
    fakes(
        torch="raise OSError('libtorch.so:\\n cannot open \\x1b[2J')", tensorflow=HANG,
        numpy="import os, sys; print('on its own', file=sys.stderr); sys.stderr.flush(); os.abort()", openvino="",
    )  # fmt: skip
    found = json.loads(run_doctor("--json", "--timeout", "3", code=1).stdout)
    by_name = found["adapters"]
    assert {one["state"] for one in by_name.values()} == {"broken"}
    assert re.fullmatch(
        r"OSError: libtorch.so: cannot open \?\[2J \(torch is .*fakes/torch/__init__.py\)", by_name["torch"]["text"]
    )
    assert by_name["torch"]["mend"] == "pip install --force-reinstall torch"
    assert by_name["tf"]["text"] == "did not load within 3 s"
    assert by_name["tf"]["mend"].startswith("pip install --force-reinstall tensorflow")
    assert by_name["mx"]["text"] == "ended Python (SIGABRT): on its own"
    assert by_name["mx"]["mend"] == "pip install --force-reinstall 'neuron-adapters[mx]'"
    assert by_name["engine"]["text"].startswith("EngineError: the openvino package has no C library (openvino is ")
    assert dead(int((tmp_path / "pid").read_text()))
    assert "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]" in found["problems"]


def test_something_that_says_goodbye(
    fakes: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A library that ends the process, prints to stdout, or closes what it finds open."""
    fakes(
        leaving="import sys; print('{}'); sys.exit(3)",
        loud="print('{}' * 9999)",
        gone="import os; os._exit(7)",
        daemon="import subprocess, sys; p = subprocess.Popen(['sleep', '600']); open('pid', 'w').write(str(p.pid))",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    names = ("leaving", "loud", "gone", "daemon")
    parts = [_installed.Part(name, f"import {name}; part = None", name, (name,), "torch") for name in names]
    leaving, loud, gone, daemon = _installed.try_all(parts, PATIENCE)
    assert (leaving.state, loud.state, gone.state, daemon.state) == ("broken", "loads", "broken", "loads")
    assert dead(int((tmp_path / "pid").read_text())), "what it left behind goes, too"
    assert leaving.text.startswith("SystemExit: 3")
    assert gone.text == "ended Python (exit code 7)"


def test_missing() -> None:
    """Not there, and nobody expects it: no problem. There, without what it needs: one."""
    missing = _installed.Part("torch", "raise SystemError", "no_such_framework", ("no_such_framework",), "torch")
    half = _installed.Part("mx", "import no_such_library", "json", ("json",), "mx")
    one, two = _installed.try_all([missing, half], PATIENCE)
    assert (one.state, one.text, one.mend) == (
        "missing", "no_such_framework not installed", "pip install 'neuron-adapters[torch]'",
    )  # fmt: skip
    assert (two.state, two.mend) == ("broken", "pip install --force-reinstall 'neuron-adapters[mx]'")
    assert two.text.startswith("ModuleNotFoundError: No module named 'no_such_library' (json is ")
    found = _examination.examine([one, WELL[1]])
    assert found.problems == []
    assert "torch: no_such_framework not installed: pip install 'neuron-adapters[torch]'" in lines_of(found, "note")
    assert [line.partition(":")[0] for line in _examination.examine([two, WELL[1]]).problems] == ["mx"]
    assert _examination.examine([one]).problems == [
        "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]"
    ]


def test_the_real_plug_in(fakes: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """H4: where it is installed, ours steps aside; that is no problem."""
    fakes(mx_neuron="")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    (trial,) = _installed.try_all([part for part in _installed.PARTS if part.name == "mx"], PATIENCE)
    assert (trial.state, trial.text) == (
        "aside",
        "mx_neuron is installed here: neuron_adapters.mx steps aside and hooks nothing",
    )
    assert _examination.examine([trial]).problems == []


def test_interrupted(environment: dict[str, str], fakes: Callable[..., None], tmp_path: Path) -> None:
    """Ctrl-C ends it and all that it started, without a traceback."""
    fakes(torch=HANG, tensorflow="", openvino="")
    process = subprocess.Popen(
        [sys.executable, "-m", "neuron_adapters.tools.cli", "doctor"], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        assert process.communicate(timeout=PATIENCE) == ("", "")
        assert process.returncode == 130
        assert dead(int((tmp_path / "pid").read_text()))
    finally:
        process.kill()
        process.communicate()


def test_the_doctor_imports_no_framework(environment: dict[str, str], fakes: Callable[..., None]) -> None:
    fakes(torch="raise ImportError", tensorflow="raise ImportError", openvino="raise ImportError")
    command = [sys.executable, Path(__file__).parent / "scripts" / "doctor_imports.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.splitlines()[-2:] == ["neuron_adapters neuron_rt", "None"], done.stderr


def test_shadows(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "numpy").mkdir()  # holds nothing that would be imported
    assert _examination.examine(WELL).problems == [
        "shadow: ./torch.py hides the installed package from scripts in this directory: rename it"
    ]


# -- the instance ------------------------------------------------------------------------------------------------


def machine(count: int, threads: int = 1) -> tuple[Cpu, ...]:
    return tuple(Cpu(index, 0, index % (count // threads)) for index in range(count))


@pytest.mark.parametrize(
    ("instance", "cpus", "expected"),
    [
        ("inf1.6xlarge", machine(2), ["16 NeuronCores on 2 CPUs (0-1) in turn: NC0, NC2, NC4, ... share CPU 0"]),
        ("3", machine(2), ["3 NeuronCores on 2 CPUs (0-1) in turn: NC0 and NC2 share CPU 0"]),
        ("4", machine(1), ["all 4 NeuronCores stand on CPU 0, and share it"]),
        ("2", machine(4, 2), ["CPU NC0: 0,2  NC1: 1,3"]),
        ("3", machine(8), ["CPU NC0: 0-1  NC1: 2-3  NC2: 4-5", "CPU 6-7: behind no NeuronCore, they do not divide evenly"]),
        (
            "inf1.24xlarge", machine(128),
            [
                "CPU NC0: 0-1      NC1: 2-3      NC2: 4-5      NC3: 6-7",
                "CPU NC4: 8-9      NC5: 10-11    NC6: 12-13    ...",
                "CPU NC60: 120-121  NC61: 122-123  NC62: 124-125  NC63: 126-127",
            ],
        ),
        ("2", (), ["nobody knows which CPUs there are: nothing is tied to any"]),
    ],
)  # fmt: skip
def test_map(instance: str, cpus: tuple[Cpu, ...], expected: list[str]) -> None:
    config = Config.read({"NEURON_ADAPTERS_INSTANCE": instance}, cpus)
    assert [re.sub(" +", " ", line) for line in _host.map_of(config)] == [re.sub(" +", " ", line) for line in expected]


def test_every_map_is_short() -> None:
    for instance in (*INSTANCE_TYPES, "host", "4096"):
        for count in (1, 2, 7, 64, 192):
            lines = _host.map_of(Config.read({"NEURON_ADAPTERS_INSTANCE": instance}, machine(count)))
            assert len(lines) <= 5
            assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({}, None, None),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ({"cpu.max": "150000 100000", "memory.max": "1048576"}, 1.5, 1 << 20),
        ({"a/b/cpu.max": "50000 100000", "a/cpu.max": "20000 100000", "a/memory.max": "4096"}, 0.2, 4096),
        ({"other/cpu.max": "1000 100000"}, None, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "300000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9" * 18,
            },
            3.0,
            None,
        ),
        ({"cpu/c/cpu.cfs_quota_us": "10000", "cpu/c/cpu.cfs_period_us": "100000"}, 0.1, None),
        ({"cpu.max": "no number", "memory.max": ""}, None, None),
        ({"cpu.max": "1 0"}, None, None),
    ],
)
def test_limits(tmp_path: Path, files: dict[str, str], cpus: float | None, memory: int | None) -> None:
    """Versions 1 and 2, the tightest of a process's cgroups and those above."""
    (tmp_path / "membership").write_text("4:cpu:/c\n3:memory:/\n0::/a/b/../b\nstrange\n")
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert _host.limits_of(tmp_path / "cgroup", tmp_path / "membership") == _host.Limits(cpus, memory)


def test_quota_and_mask() -> None:
    assert _examination._quota(_host.Limits(1.5, None), 4)[0] == "note"
    assert "1.5 of 4 CPUs" in _examination._quota(_host.Limits(1.5, None), 4)[1]
    assert _examination._quota(_host.Limits(4.0, None), 4)[0] == "ok"
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mask)})
    try:
        found = _examination.examine(WELL)
    finally:
        os.sched_setaffinity(0, mask)
    if len(mask) > 1:
        assert any(
            line.startswith(f"mask: this process may use CPUs {min(mask)} of ") for line in lines_of(found, "note")
        )
    assert found.problems == []


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
        found = _examination.examine(WELL)
    finally:
        lock.close()
    (owner,) = found.data["owners"]
    assert (owner["pid"], owner["tag"], owner["ncs"]) == (pid, "blue", [0, 1, 2])
    assert any(line.startswith(f"process: pid {pid} [blue] owns NC0-NC2: ") for line in lines_of(found, "ok"))
    assert "process: NC9: the owner has not published itself" in lines_of(found, "note")
    assert "free: 12 of 16 NeuronCores are free" in lines_of(found, "ok")
    assert found.problems == []
    assert sorted(os.listdir(tmp_path / "state")) == before, "nothing is left behind"


def test_processes_of_another_instance(serve: Callable[..., int]) -> None:
    serve(NEURON_ADAPTERS_INSTANCE="inf2.xlarge")
    (problem,) = _examination.examine(WELL).problems
    assert problem == (
        "instance: processes run on inf2.xlarge, and this environment says inf1.6xlarge: "
        "all should have the same NEURON_ADAPTERS_INSTANCE"
    )
    for lie in ("\x1b[2J", "x" * 1000, ["inf1.xlarge"], None):
        assert _examination._plain(lie) == "what is no instance"


def test_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def state() -> str:
        return next(
            line
            for level in ("ok", "problem")
            for line in lines_of(_examination.examine(WELL), level)
            if line.startswith("state: ")
        )

    folder = tmp_path / "state"
    assert state() == f"state: {folder} (drwx------, user {os.geteuid()}); its file system takes locks"
    folder.rmdir()
    assert state() == f"state: {folder} is made at the first load; its file system takes locks"
    assert not folder.exists()
    folder.mkdir()
    folder.chmod(0o777)
    assert "can be written to by other users" in state()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert "is a link or no directory" in state()
    assert _host._takes_locks(folder) is None, "a link is not followed"
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(tmp_path / "no" / "state"))
    assert state() == f"state: {tmp_path / 'no' / 'state'} cannot be made: {tmp_path / 'no'} is not there"
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
        ("NEURON_ADAPTERS_AFFINITY", "off", "ok", "models are not tied to CPUs"),
        ("NEURON_ADAPTERS_WAIT", "60", "ok", "waits up to 60 s"),
        ("NEURON_ADAPTERS_STATE_DIR", "relative", "problem", "is not an absolute path"),
        ("NEURON_ADAPTERS_ENGINE", "openvino", "ok", "what computes compiled models: openvino"),
        ("NEURON_CC_FLAGS", "--neuroncore-pipeline-cores=4 --verbose 1", "ok", "models of 4 NeuronCores"),
        ("NEURON_CC_FLAGS", "--extract-weights inf1.xlarge --dynamic-batch-size", "ok", "models of 1 NeuronCore"),
        ("NEURON_CC_FLAGS", "--neuroncore-pipeline-core=4", "problem", "Unknown compiler flag '--neuroncore-pipeline-core=4'."),
        ("NEURON_CC_FLAGS", "--x 'open", "problem", "cannot be read"),
        ("NEURON_RT_LOG_LEVEL", "info", "ok", "the log tells INFO and what is graver"),
        ("NEURON_RT_LOG_LEVEL", "loud", "problem", "is not a level"),
        ("NEURON_RT_LOG_LOCATION", "syslog", "ok", "the log goes to syslog"),
        ("NEURON_RT_LOG_LEVEL_NRT", "INFO", "note", "has no effect on emulated cores: NEURON_RT_LOG_LEVEL"),
        ("NEURON_ADAPTERS_TRACE", "/tmp/run.json", "ok", "records who runs when in /tmp/run.json"),
        ("NEURON_RTD_ADDRESS", "unix:/run/x", "note", "there is no neuron-rtd any more"),
        ("NEURON_RT_VISIBLE_CORE", "0", "problem", "nobody reads it. Did you mean NEURON_RT_VISIBLE_CORES?"),
        ("NEURONCORE_GROUP_SIZE", "1", "problem", "Did you mean NEURONCORE_GROUP_SIZES?"),
        ("NEURON_ADAPTER_INSTANCE", "host", "problem", "Did you mean NEURON_ADAPTERS_INSTANCE?"),
        ("NUERON_RT_NUM_CORES", "2", "problem", "Did you mean NEURON_RT_NUM_CORES?"),
        ("neuron_rt_num_cores", "2", "problem", "Did you mean NEURON_RT_NUM_CORES?"),
        ("NEURON_OF_MY_OWN", "1", "note", "nobody reads it, and nothing that is read has a name like it"),
    ],
)  # fmt: skip
def test_variables(name: str, value: str, level: str, says: str) -> None:
    (found,) = variables_of({name: value, "HOME": "/", "PATH": "/bin"})
    assert (found.name, found.value, found.level) == (name, value, level)
    assert says in found.text


def test_every_variable_has_a_meaning() -> None:
    """None that the runtime reads, or that docs/environment.md names, is unknown here."""
    named = set(re.findall(r"^\| \[?`([A-Z_]+)`", (ROOT / "docs" / "environment.md").read_text(), flags=re.MULTILINE))
    for name in {*VARIABLES, *named}:
        (found,) = variables_of({name: "1"})
        assert "nobody reads it" not in found.text, name


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
        one
        for one in variables_of({"NEURON_ADAPTERS_INSTANCE": "4", "NEURON_RT_NUM_CORES": "5"})
        if one.level == "problem"
    )
    assert "than the instance has (4)" in problem.text


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"NEURON_RT_NUM_CORES": "2,4", "NEURONCORE_GROUP_SIZES": "4,2"}, "forms other groups than"),
        ({"NEURON_RT_NUM_CORES": "4", "NEURONCORE_GROUP_SIZES": "3,2"}, "forms groups of 5 NeuronCores in all"),
        ({"NEURON_RT_NUM_CORES": "4", "NEURON_RT_VISIBLE_CORES": "0-1"}, "wins over NEURON_RT_NUM_CORES=4"),
        ({"NEURON_RT_NUM_CORES": "1,1", "NEURON_RT_VISIBLE_CORES": "0-1"}, "forms no groups of it"),
        ({"NEURONCORE_GROUP_SIZES": "1,1", "NEURON_RT_VISIBLE_CORES": "0-1"}, "is an error for MXNet"),
        ({"NEURON_RT_NUM_CORES": "2", "NEURON_RT_VISIBLE_CORES": "0-1"}, None),
        ({"NEURON_RT_NUM_CORES": "6", "NEURONCORE_GROUP_SIZES": "4,2"}, None),
        ({"NEURON_RT_NUM_CORES": "many", "NEURON_RT_VISIBLE_CORES": "0-1"}, None),
        ({}, None),
    ],
)
def test_conflicts(environ: dict[str, str], says: str | None) -> None:
    """Values that are right each for itself."""
    found = conflicts_of(environ)
    assert (says is None and found == ()) or (says is not None and len(found) == 1 and says in found[0])


def test_wrong_variables_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "inf9")
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "4")
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "0-1")
    found = _examination.examine(WELL)
    assert [problem.partition(":")[0] for problem in found.problems] == ["NEURON_ADAPTERS_INSTANCE=inf9", "together"]
    text = doctor._text(found)
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 80, "but paths stay whole"
    assert text.splitlines()[-1] == "2 things are wrong: see [!!]."
    assert sum(line.startswith("  [!!] ") for line in text.splitlines()) == 2


# -- as a command ------------------------------------------------------------------------------------------------


def test_documented() -> None:
    text = (ROOT / "docs" / "tools.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in text] == []
    assert [name for name in cli.COMMANDS if f"`neuron-adapters {name}" not in text] == []
    for mark in doctor._MARKS.values():
        assert mark in text


def test_umbrella(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", said, flags=re.MULTILINE) for name in ("doctor", "plan", "inspect"))
    assert max(map(len, said.splitlines())) <= 80
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"neuron-adapters [0-9.]+\n", capsys.readouterr().out)
    assert cli.main(["plan", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fits"]
    assert cli.main([]) == 2
    assert 'neuron-adapters = "neuron_adapters.tools.cli:main"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["docter"], "there is no command 'docter'. Did you mean doctor?"), (["x"], "There are doctor, plan, inspect, share."),
        (["--nope"], "unrecognized"), (["doctor", "extra"], "unrecognized"), (["doctor", "--timeout", "0"], "no number of seconds"),
        (["doctor", "--time", "1"], "unrecognized"),
    ],
)  # fmt: skip
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", ["doctor", "plan"])
def test_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "exit codes:" in said
    assert "examples:" in said
    assert max(map(len, said.splitlines())) <= 80
