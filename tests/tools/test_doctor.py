"""``neuron-adapters doctor``, on installations that are whole, broken, hanging and missing, and on any machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from doctor_findings import FIELDS, lines_of, machine

from neuron_adapters.tools.doctor import _examination, _host, _installed
from neuron_rt import Config
from neuron_rt.instance import INSTANCE_TYPES, Cpu

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
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


# -- what loads --------------------------------------------------------------------------------------------------


def test_all_is_well(run_doctor: Doctor, tmp_path: Path) -> None:
    """Every adapter of this environment really loads; nothing is started or taken."""
    report = json.loads(run_doctor("--json").stdout)
    assert list(report) == FIELDS
    assert {name: adapter["state"] for name, adapter in report["adapters"].items()} == dict.fromkeys(
        ("torch", "tf", "mx", "engine"), "loads"
    )
    assert report["problems"] == []
    assert report["versions"]["torch"]
    assert report["versions"]["tensorflow"]
    assert report["versions"]["neuron-adapters"]
    assert report["instance"]["nc_count"] == len(report["instance"]["cpus_of_ncs"]) == report["free"] == 16
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
    report = json.loads(run_doctor("--json", "--timeout", "3", code=1).stdout)
    by_name = report["adapters"]
    assert {adapter["state"] for adapter in by_name.values()} == {"broken"}
    assert re.fullmatch(
        r"OSError: libtorch.so: cannot open \?\[2J \(torch is .*fakes/torch/__init__.py\)", by_name["torch"]["text"]
    )
    assert by_name["torch"]["mend"] == "pip install --force-reinstall torch"
    assert by_name["tf"]["text"] == "did not load within 3 s"
    assert by_name["tf"]["mend"].startswith("pip install --force-reinstall tensorflow")
    assert by_name["mx"]["text"] == "ended Python (SIGABRT): on its own"
    assert by_name["mx"]["mend"] == "pip install --force-reinstall numpy onnx openvino"
    assert by_name["engine"]["text"].startswith("EngineError: the openvino package has no C library (openvino is ")
    assert dead(int((tmp_path / "pid").read_text()))
    assert "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]" in report["problems"]


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
    absent, broken = _installed.try_all([missing, half], PATIENCE)
    assert (absent.state, absent.text, absent.mend) == (
        "missing", "no_such_framework not installed", "pip install 'neuron-adapters[torch]'",
    )  # fmt: skip
    assert (broken.state, broken.mend) == ("broken", "pip install --force-reinstall json")
    assert broken.text.startswith("ModuleNotFoundError: No module named 'no_such_library' (json is ")
    findings = _examination.examine([absent, WELL[1]])
    assert findings.problems == []
    assert "torch: no_such_framework not installed: pip install 'neuron-adapters[torch]'" in lines_of(findings, "note")
    assert [line.partition(":")[0] for line in _examination.examine([broken, WELL[1]]).problems] == ["mx"]
    assert _examination.examine([absent]).problems == [
        "no adapter loads here: pip install 'neuron-adapters[torch]', [tf] or [mx]"
    ]


def test_pytorch_without_cuda_comes_first() -> None:
    """The size of what pip would choose, and where the other is to be had, before the command that brings either."""
    (part,) = [
        replace(part, code="", needs=("no_such_framework",), framework="no_such_framework")
        for part in _installed.PARTS[:1]
    ]
    (trial,) = _installed.try_all([part], PATIENCE)
    (line,) = [line.text for line in _lines(trial) if line.name == "torch"]
    assert line == (
        "no_such_framework not installed; the extra takes 5.6 GB, CUDA with it, unless PyTorch's CPU build is installed first "
        "(https://pytorch.org/get-started/locally, choose CPU): pip install 'neuron-adapters[torch]'"
    )


def _lines(trial: _installed.Trial) -> list[_examination.Line]:
    return [line for _title, lines in _examination.examine([trial]).sections for line in lines]


def test_two_tensorflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pip install tf_keras` does beside tensorflow-cpu."""
    for name in ("tensorflow_cpu", "tensorflow"):
        folder = tmp_path / "site" / f"{name}-2.99.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.99.0\n")
    assert _examination.examine(WELL).problems == []
    monkeypatch.syspath_prepend(tmp_path / "site")
    (problem,) = _examination.examine(WELL).problems
    assert problem == (
        "duplicate: tensorflow-cpu and tensorflow are both installed and own the same files, which pip removes with either. "
        "Mend it: pip uninstall -y tensorflow && pip install --force-reinstall --no-deps tensorflow-cpu==2.99.0"
    )


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


@pytest.mark.parametrize(
    ("instance", "cpus", "expected"),
    [
        ("inf1.6xlarge", machine(2), ["16 NeuronCores on 2 CPUs (0-1) in turn: NC0, NC2, NC4, ... share CPU 0"]),
        ("3", machine(2), ["3 NeuronCores on 2 CPUs (0-1) in turn: NC0 and NC2 share CPU 0"]),
        ("4", machine(1), ["all 4 NeuronCores share CPU 0"]),
        ("2", machine(4, 2), ["CPU NC0: 0,2  NC1: 1,3"]),
        ("3", machine(8), ["CPU NC0: 0-1  NC1: 2-3  NC2: 4-5", "CPU 6-7: not used, since the CPUs do not divide evenly"]),
        (
            "inf1.24xlarge", machine(128),
            [
                "CPU NC0: 0-1      NC1: 2-3      NC2: 4-5      NC3: 6-7",
                "CPU NC4: 8-9      NC5: 10-11    NC6: 12-13    ...",
                "CPU NC60: 120-121  NC61: 122-123  NC62: 124-125  NC63: 126-127",
            ],
        ),
        ("2", (), ["the CPUs of this machine are not known, so models are not bound to any"]),
    ],
)  # fmt: skip
def test_map(instance: str, cpus: tuple[Cpu, ...], expected: list[str]) -> None:
    config = Config.read({"NEURON_ADAPTERS_INSTANCE": instance}, cpus)
    assert [re.sub(" +", " ", line) for line in _host.map_of(config)] == [re.sub(" +", " ", line) for line in expected]


def in_nodes(count: int, nodes: int) -> tuple[Cpu, ...]:
    return tuple(Cpu(index, index * nodes // count, index) for index in range(count))


@pytest.mark.parametrize(
    ("variables", "cpus", "nodes", "spans"),
    [
        (
            {"NEURON_RT_NUM_CORES": "2,4,3,4"}, in_nodes(16, 2), "node 0: NC0-NC7; node 1: NC8-NC15",
            [("group 2 (NC6-NC8) spans NUMA nodes 0 and 1 (NC6-NC7 on node 0, NC8 on node 1): a CPU reads weights",
              "3 NeuronCores are within a node anywhere in NC0-NC7 (node 0) or NC8-NC15 (node 1): form the groups in")],
        ),
        ({"NEURON_RT_NUM_CORES": "4,4,2,3"}, in_nodes(16, 2), "node 0: NC0-NC7; node 1: NC8-NC15", []),
        ({"NEURON_RT_NUM_CORES": "4,4,2,3"}, in_nodes(16, 1), None, []),
        ({"NEURON_RT_NUM_CORES": "2,4,x"}, in_nodes(16, 2), "node 0: NC0-NC7; node 1: NC8-NC15", []),
        (
            {"NEURON_RT_VISIBLE_CORES": "5-8", "NEURONCORE_GROUP_SIZES": "1,3"}, in_nodes(16, 2),
            "node 0: NC0-NC7; node 1: NC8-NC15", [("group 1 (NC6-NC8) spans NUMA nodes 0 and 1", "anywhere in")],
        ),
        (
            {"NEURON_ADAPTERS_INSTANCE": "1"}, in_nodes(8, 2), "node 0: NC0; node 1: NC0",
            [("NC0 spans NUMA nodes 0 and 1: a CPU", "NEURON_ADAPTERS_INSTANCE with 2 NeuronCores or more keeps each")],
        ),
        (
            {"NEURON_RT_NUM_CORES": "16"}, in_nodes(4, 2),
            "node 0: NC0-NC1,NC4-NC5,NC8-NC9,NC12-NC13; node 1: NC2-NC3,NC6-NC7,NC10-NC11,NC14-NC15", [],
        ),
        ({"NEURON_RT_NUM_CORES": "2,4,3,4", "NEURON_ADAPTERS_AFFINITY": "off"}, in_nodes(16, 2), None, []),
    ],
)  # fmt: skip
def test_nodes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cpus: tuple[Cpu, ...], nodes: str | None,
    spans: list[tuple[str, ...]],
) -> None:  # fmt: skip
    """I3: which NeuronCores are on which NUMA node, and which groups span some."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("neuron_rt.config.machine_cpus", lambda: cpus)
    findings = _examination.examine(WELL)
    said = [line for _title, lines in findings.sections for line in lines if line.name == "NUMA"]
    assert [line.text for line in said if line.level == "ok"] == ([nodes] if nodes else [])
    notes = [line.text for line in said if line.level == "note"]
    assert len(notes) == len(spans)
    for note, parts in zip(notes, spans):
        assert [part for part in parts if part not in note] == [], note
    behind = findings.data["instance"]["nodes_of_ncs"]
    assert len(behind) == (0 if "NEURON_ADAPTERS_AFFINITY" in variables else findings.data["instance"]["nc_count"])


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
        findings = _examination.examine(WELL)
    finally:
        os.sched_setaffinity(0, mask)
    if len(mask) > 1:
        assert any(
            line.startswith(f"mask: this process may use only CPUs {min(mask)} of ")
            for line in lines_of(findings, "note")
        )
    assert findings.problems == []
