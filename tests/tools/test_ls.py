"""SPEC T1: neuron-ls, as a user calls it, on processes that really run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neuron_adapters
from neuron_adapters.tools.ls import _text, _view
from neuron_adapters.tools.shared.devices import devices_of, machine_memory
from neuron_rt import Owner
from neuron_rt.instance import INSTANCE_TYPES, Cpu, Instance
from neuron_rt.locks import MUTEX, LockFile

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 60
FIELDS = [
    "neuron_device", "bdf", "cpu_affinity", "numa_node", "connected_to", "nc_count", "logical_neuroncore_config",
    "memory_size", "neuroncore_ids", "neuron_processes",
]  # fmt: skip


Serve = Callable[..., subprocess.Popen[str]]
Ls = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    def make(**variables: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("NEURON", "COLUMNS"))}
        path = os.pathsep.join([str(ROOT / "core"), str(ROOT)])
        return {
            **env, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8",
            "NEURON_ADAPTERS_STATE_DIR": str(tmp_path / "state"), **variables,
        }  # fmt: skip

    return make


@pytest.fixture
def serve(tmp_path: Path, environment: Callable[..., dict[str, str]]) -> Iterator[Serve]:
    """Start a script of its own name; returns when it has its NCs. Whatever is left is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str, script: str = "ls_serve.py", wait: bool = True, **variables: str) -> subprocess.Popen[str]:
        if not (tmp_path / "serve.py").exists():  # another process may be reading it
            shutil.copy(SCRIPTS / script, tmp_path / "serve.py")
        process = subprocess.Popen(
            [sys.executable, "serve.py", *words], env=environment(**variables), cwd=tmp_path,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        if wait:
            assert process.stdout is not None
            assert process.stdout.readline()
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run_ls(environment: Callable[..., dict[str, str]]) -> Ls:
    """The command in a process of its own."""

    def run(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.ls", *words], env=environment(**variables),
            capture_output=True, timeout=PATIENCE, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert bool(done.stderr) == bool(code)
        return done

    return run


def pids(devices: list[dict[str, object]]) -> list[list[int]]:
    return [[process["pid"] for process in device["neuron_processes"]] for device in devices]  # type: ignore[attr-defined]


# -- what it reads -----------------------------------------------------------------------------------------------


def test_json_has_the_documented_fields(serve: Serve, run_ls: Ls) -> None:
    """T1: none missing, none extra, of the documented types, as consumers parse them."""
    process = serve("2", "4", NEURON_RT_NUM_CORES="6", NEURON_PROCESS_TAG="blue")
    devices = json.loads(run_ls("--json-output").stdout)
    assert [list(device) for device in devices] == [FIELDS] * 4
    assert sum(device["nc_count"] for device in devices) == 16  # as Ray does
    assert [device["neuroncore_ids"] for device in devices] == [
        list(range(first, first + 4)) for first in (0, 4, 8, 12)
    ]
    assert [device["connected_to"] for device in devices] == [[1], [2, 0], [3, 1], [2]]  # as documented
    entry = {
        "pid": process.pid,
        "command": f"{sys.executable} serve.py 2 4",
        "neuron_runtime_version": neuron_adapters.__version__,
    }
    assert [device["neuron_processes"] for device in devices] == [[entry], [entry], [], []]
    for index, device in enumerate(devices):
        assert (device["neuron_device"], device["logical_neuroncore_config"]) == (index, 1)
        assert re.fullmatch(r"0000:[0-9a-f]{2}:[01][0-9a-f]\.0", device["bdf"])
        assert re.fullmatch(r"[0-9]+([,-][0-9]+)*", device["cpu_affinity"])
        assert re.fullmatch(r"-1|[0-9]+", device["numa_node"])
        assert 0 < device["memory_size"] <= machine_memory() // 4
    assert len({device["bdf"] for device in devices}) == 4
    assert json.loads(run_ls("-j", "-w", "-t").stdout) == devices


def test_json_of_one_device(run_ls: Ls) -> None:
    """As documented for trn1.2xlarge: connected to nothing is null."""
    (device,) = json.loads(run_ls("-j", NEURON_ADAPTERS_INSTANCE="trn1.2xlarge").stdout)
    assert (device["connected_to"], device["nc_count"], device["neuron_processes"]) == (None, 2, [])
    two = json.loads(run_ls("-j", NEURON_ADAPTERS_INSTANCE="6").stdout)
    assert [(device["nc_count"], device["connected_to"]) for device in two] == [(4, [1]), (2, [0])]
    lnc = {
        d["logical_neuroncore_config"]
        for d in json.loads(run_ls("-j", NEURON_ADAPTERS_INSTANCE="trn2.48xlarge").stdout)
    }
    assert lnc == {2}


def test_killed_process_disappears(serve: Serve, run_ls: Ls) -> None:
    """O1: at once, and the others stay."""
    first, second = serve(NEURON_RT_NUM_CORES="4"), serve(NEURON_RT_NUM_CORES="4")
    assert pids(json.loads(run_ls("-j").stdout)) == [[first.pid], [second.pid], [], []]
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE)
    assert pids(json.loads(run_ls("-j").stdout)) == [[], [second.pid], [], []]
    second.communicate("", timeout=PATIENCE)
    assert second.returncode == 0
    assert pids(json.loads(run_ls("-j").stdout)) == [[], [], [], []]


def test_twenty_processes(serve: Serve, run_ls: Ls) -> None:
    """Each is on every device of its NCs, and on no other."""
    instance = {"NEURON_ADAPTERS_INSTANCE": "inf1.24xlarge"}
    variables = [{"NEURON_RT_VISIBLE_CORES": f"{first}-{first + 2}", **instance} for first in range(0, 60, 3)]
    processes = [serve("3", wait=False, **each) for each in variables]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline()
    owned = {process.pid: set(range(3 * i, 3 * i + 3)) for i, process in enumerate(processes)}
    devices = json.loads(run_ls("-j").stdout)
    assert len(devices) == 16
    for device, shown in zip(devices, pids(devices)):
        assert shown == [pid for pid, ncs in owned.items() if ncs & set(device["neuroncore_ids"])]
    table = run_ls().stdout.splitlines()
    assert max(map(len, table)) <= 80
    assert all(any(f" {pid} " in line for line in table) for pid in owned)


def test_it_takes_nothing_and_waits_for_nobody(serve: Serve, run_ls: Ls, tmp_path: Path) -> None:
    """With every NC taken, and while a stopped process is choosing its own."""
    process = serve()
    lock = LockFile(tmp_path / "state", shared=True)
    try:
        assert lock.take(MUTEX)  # whoever chooses now waits for ten seconds, then fails
        assert pids(json.loads(run_ls("-j").stdout)) == [[process.pid]] * 4
    finally:
        lock.close()


def test_no_state_directory(run_ls: Ls, tmp_path: Path) -> None:
    """Nobody ever ran: no processes, and no directory afterwards."""
    assert pids(json.loads(run_ls("-j").stdout)) == [[], [], [], []]
    assert not (tmp_path / "state").exists()


def test_it_reads_only_its_own_variables(run_ls: Ls) -> None:
    assert run_ls(NEURON_RT_NUM_CORES="many", NEURON_RT_VISIBLE_CORES="99", NEURON_ADAPTERS_ENGINE="steam").stdout


def test_heavy_imports(environment: Callable[..., dict[str, str]]) -> None:
    """It starts at once: the runtime's own modules, the adapters' common ones, and the standard library."""
    command = [sys.executable, SCRIPTS / "ls_imports.py"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stderr.split()} == {"neuron_adapters", "neuron_rt"}
    assert not {"neuron_adapters.torch", "neuron_adapters.tf", "neuron_adapters.mx"} & set(done.stderr.split())


# -- which instance ----------------------------------------------------------------------------------------------


def test_the_processes_know_the_instance(serve: Serve, run_ls: Ls) -> None:
    serve(NEURON_ADAPTERS_INSTANCE="inf2.24xlarge", NEURON_RT_NUM_CORES="2")
    said = run_ls().stdout.splitlines()[0]
    assert said == "instance-type: inf2.24xlarge (of the running processes; here: inf1.6xlarge)"
    assert len(json.loads(run_ls("-j").stdout)) == 6
    assert run_ls(NEURON_ADAPTERS_INSTANCE="inf2.24xlarge").stdout.splitlines()[0] == "instance-type: inf2.24xlarge"


def test_processes_of_two_instances(serve: Serve, run_ls: Ls) -> None:
    """Then this environment decides, and what is on none of its devices is named below the table."""
    small = serve(NEURON_ADAPTERS_INSTANCE="inf1.xlarge", NEURON_RT_NUM_CORES="2")
    large = serve(NEURON_ADAPTERS_INSTANCE="inf1.6xlarge", NEURON_RT_VISIBLE_CORES="8-11", NEURON_PROCESS_TAG="large")
    lines = run_ls(NEURON_ADAPTERS_INSTANCE="inf1.2xlarge").stdout.splitlines()
    assert lines[0] == "instance-type: inf1.2xlarge (processes differ: inf1.6xlarge, inf1.xlarge)"
    assert any(f" {small.pid} " in line and line.startswith("| 0 ") for line in lines)
    assert lines[-2] == "on no device of inf1.2xlarge:"
    assert lines[-1].startswith(f"  pid {large.pid} [large] owns NC8-NC11: ")


def test_a_process_that_owns_nothing(serve: Serve, run_ls: Ls) -> None:
    process = serve(NEURON_RT_VISIBLE_CORES="")
    assert run_ls().stdout.splitlines()[-1].startswith(f"  pid {process.pid} owns none: ")


# -- what it shows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["", "--wide", "--show-all-procs", "--topology"])
def test_untrusted_text(serve: Serve, run_ls: Ls, option: str) -> None:
    """Nothing that a process says of itself moves the cursor, colours, or breaks a line."""
    process = serve(script="ls_lie.py", NEURON_RT_NUM_CORES="2")
    done = run_ls(*filter(None, [option]))
    assert all(char.isprintable() for line in done.stdout.split("\n") for char in line)
    assert done.stdout.startswith("instance-type: inf1.6xlarge\n")
    if option != "--topology":
        (line,) = (line for line in done.stdout.split("\n") if f" {process.pid} " in line)
        assert "| [?]0;x??]" in line
    json.loads(run_ls("-j").stdout)


def test_pipes(serve: Serve, run_ls: Ls, environment: Callable[..., dict[str, str]]) -> None:
    """Plain ASCII where the output is not UTF-8, whatever the commands are; a reader that leaves; a full disk."""
    serve("2", NEURON_PROCESS_TAG="größer", NEURON_RT_NUM_CORES="2")
    assert "[größer]" in run_ls("-w").stdout
    for encoding in ("ascii", "latin-1"):
        done = subprocess.run(
            [sys.executable, "-m", "neuron_adapters.tools.ls", "-w", "-t"], capture_output=True, check=True,
            env=environment(PYTHONIOENCODING=encoding, NEURON_ADAPTERS_INSTANCE="inf1.24xlarge"),
        )  # fmt: skip
        assert done.stdout.decode(encoding).replace("ö", "?").replace("ß", "?").isascii()
        assert b"[ 0 ]<-->[ 1 ]" in done.stdout
    command = f"{sys.executable} -m neuron_adapters.tools.ls"
    for redirect, code, said in ((" -j > /dev/full", 1, 1), (" -j | true; exit ${PIPESTATUS[0]}", 0, 0)):
        done = subprocess.run(["bash", "-c", command + redirect], env=environment(), capture_output=True, text=True)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, said), done.stderr


def test_show_all_procs(serve: Serve, run_ls: Ls) -> None:
    """As documented: neuron-ls itself is among them, with no runtime, under the name that scripts leave out."""
    process = serve(NEURON_RT_NUM_CORES="4")
    devices = json.loads(run_ls("--json-output", "--show-all-procs").stdout)
    assert pids(devices)[0][0] == process.pid
    for device in devices:
        itself = device["neuron_processes"][-1]
        assert (itself["command"], itself["neuron_runtime_version"]) == (
            "neuron-ls --json-output --show-all-procs",
            "NA",
        )
    assert [len(device["neuron_processes"]) for device in devices] == [2, 1, 1, 1]


MACHINE = tuple(Cpu(index, node=9999, core=index // 2) for index in range(8))


def view_of(instance: str, **owned: tuple[int, ...]) -> _view.View:
    """A view of a machine of 8 CPUs and 32 GB, with processes of these tags."""
    named = Instance.named(instance, host_cpus=8)
    living = [
        Owner(f"{n}", 4101 + n, f"/opt/bin/python serve.py --port 800{n}", tag, ncs, {"runtime_version": "1.2.3"})
        for n, (tag, ncs) in enumerate(owned.items())
    ]
    devices = devices_of(named, MACHINE, 32 << 30)
    on = [
        tuple(_view.process_of(process) for process in living if set(device.ncs) & set(process.ncs))
        for device in devices
    ]
    return _view.View(named, named, (), 8, devices, tuple(on), ())


@pytest.fixture
def at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


TABLE = """\
instance-type: inf1.6xlarge
instance-id: none (emulated on 8 CPUs)
+--------+--------+--------+-----------+---------+------+----------------------+
| NEURON | NEURON | NEURON | CONNECTED |   PCI   | PID  |       COMMAND        |
| DEVICE | CORES  | MEMORY |  DEVICES  |   BDF   |      |                      |
+--------+--------+--------+-----------+---------+------+----------------------+
| 0      | 4      | 8 GB   | 1         | 00:1c.0 | 4101 | [blue] python ser... |
|        |        |        |           |         | 4102 | [green] python se... |
+--------+--------+--------+-----------+---------+------+----------------------+
| 1      | 4      | 8 GB   | 2, 0      | 00:1d.0 | 4102 | [green] python se... |
+--------+--------+--------+-----------+---------+------+----------------------+
| 2      | 4      | 8 GB   | 3, 1      | 00:1e.0 | NA   | NA                   |
+--------+--------+--------+-----------+---------+------+----------------------+
| 3      | 4      | 8 GB   | 2         | 00:1f.0 | NA   | NA                   |
+--------+--------+--------+-----------+---------+------+----------------------+"""


@pytest.mark.usefixtures("at_80_columns")
def test_table() -> None:
    view = view_of("inf1.6xlarge", blue=(0, 1), green=(2, 3, 4))
    assert _text.text_of(view, wide=False, topology=False) == TABLE


@pytest.mark.usefixtures("at_80_columns")
def test_wide_table() -> None:
    """Every column, whole commands, however wide the terminal is."""
    view = view_of("inf1.2xlarge", blue=(0, 2), green=(3,))
    assert (
        _text.text_of(view, wide=True, topology=False)
        == """\
instance-type: inf1.2xlarge
instance-id: none (emulated on 8 CPUs)
+--------+--------+----------+--------+-----------+--------------+----------+------+------+----------------------------------------------+---------+----------+
| NEURON | NEURON |  NEURON  | NEURON | CONNECTED |     PCI      |   CPU    | NUMA | PID  |                   COMMAND                    | RUNTIME |  OWNED   |
| DEVICE | CORES  | CORE IDS | MEMORY |  DEVICES  |     BDF      | AFFINITY | NODE |      |                                              | VERSION | CORE IDS |
+--------+--------+----------+--------+-----------+--------------+----------+------+------+----------------------------------------------+---------+----------+
| 0      | 4      | 0-3      | 32 GB  | NA        | 0000:00:1f.0 | 0-7      | -1   | 4101 | [blue] /opt/bin/python serve.py --port 8000  | 1.2.3   | 0,2      |
|        |        |          |        |           |              |          |      | 4102 | [green] /opt/bin/python serve.py --port 8001 | 1.2.3   | 3        |
+--------+--------+----------+--------+-----------+--------------+----------+------+------+----------------------------------------------+---------+----------+"""
    )


@pytest.mark.usefixtures("at_80_columns")
@pytest.mark.parametrize(
    ("instance", "drawing"),
    [
        ("inf1.xlarge", "[ 0 ]"),
        ("8", "[ 0 ]<-->[ 1 ]"),
        ("inf1.6xlarge", "[ 0 ]<-->[ 1 ]<-->[ 2 ]<-->[ 3 ]"),
        ("inf2.24xlarge", "*-->[ 0 ]<-->[ 1 ]<-->[ 2 ]<-->[ 3 ]<-->[ 4 ]<-->[ 5 ]<--*\n\n*--> wraps around"),
        (
            "inf1.24xlarge",
            (
                "*-->[ 0 ]<-->[ 1 ]<-->[ 2 ]<-->[ 3 ]<-->[ 4 ]<-->[ 5 ]<-->[ 6 ]<-->[ 7 ]<--\n"
                "-->[ 8 ]<-->[ 9 ]<-->[10 ]<-->[11 ]<-->[12 ]<-->[13 ]<-->[14 ]<-->[15 ]<--*\n\n*--> wraps around"
            ),
        ),
    ],
)
def test_topology(instance: str, drawing: str) -> None:
    """The links that the table states, as a picture that fits."""
    pretty = drawing.replace("<", "◄").replace(">", "►").replace("--", "──")
    text = _text.text_of(view_of(instance, blue=(0,)), wide=False, topology=True)
    head, _, below = text.partition("\n\nNeuron Device Topology\n\n")
    assert below == pretty
    assert "PID" not in head
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("at_80_columns")
@pytest.mark.parametrize("instance", ["trn1.32xlarge", "trn1n.32xlarge", "trn2.48xlarge"])
def test_topology_of_a_torus(instance: str) -> None:
    view = view_of(instance)
    assert [view.devices[index].connected_to for index in (0, 4, 15)] == [(12, 3, 4, 1), (0, 7, 8, 5), (11, 14, 3, 12)]
    text = _text.text_of(view, wide=False, topology=True)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-8:] == [
        "      │        │        │        │",
        "      ▼        ▼        ▼        ▼",
        "*──►[12 ]◄──►[13 ]◄──►[14 ]◄──►[15 ]◄──*",
        "      ▲        ▲        ▲        ▲",
        "      │        │        │        │",
        "      *        *        *        *",
        "",
        "*──► wraps around",
    ]
    assert ("logical-neuroncore-config: 2" in text) == (instance == "trn2.48xlarge")


@pytest.mark.usefixtures("at_80_columns")
def test_every_instance_fits() -> None:
    """80 columns whatever the instance, and links that lead both ways."""
    for instance in [*INSTANCE_TYPES, "host", "1", "4096"]:
        view = view_of(instance, blue=(0,))
        for topology in (False, True):
            assert max(map(len, _text.text_of(view, wide=False, topology=topology).splitlines())) <= 80
        for device in view.devices:
            assert device.index not in device.connected_to
            assert all(device.index in view.devices[other].connected_to for other in device.connected_to)
        assert len({device.bdf for device in view.devices}) == len(view.devices)
        assert [nc for device in view.devices for nc in device.ncs] == list(range(view.instance.nc_count))


# -- as a command ------------------------------------------------------------------------------------------------


def test_help(run_ls: Ls) -> None:
    said = run_ls("--help", COLUMNS="80").stdout
    assert "exit codes:" in said
    assert "neuron-ls --wide" in said
    assert max(map(len, said.splitlines())) < 80


def test_documented() -> None:
    """docs/tools.md has each field, each option and the table of test_table."""
    text = (ROOT / "docs" / "tools.md").read_text()
    for word in (*FIELDS, "-w`, `--wide", "-a`, `--show-all-procs", "-t`, `--topology", "-j`, `--json-output"):
        assert f"| `{word}` |" in text
    assert TABLE in text


def test_entry_point(environment: Callable[..., dict[str, str]], run_ls: Ls) -> None:
    """What the installed command does: no arguments but those of the command line."""
    assert 'neuron-ls = "neuron_adapters.tools.ls:main"' in (ROOT / "pyproject.toml").read_text()
    code = "import sys; from neuron_adapters.tools.ls import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "-t"], env=environment(), capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (0, run_ls("-t").stdout)


@pytest.mark.parametrize("words", [["--nope"], ["extra"], ["--json"], ["-x"]])
def test_wrong_arguments(run_ls: Ls, words: list[str]) -> None:
    assert run_ls(*words, code=2).stderr.splitlines()[-1].startswith("neuron-ls: error: ")


def test_wrong_environment(run_ls: Ls, tmp_path: Path) -> None:
    """One line that says what is wrong, and exit code 1."""
    unsafe = tmp_path / "unsafe"
    unsafe.mkdir()
    unsafe.chmod(0o777)
    for name, value, said in (
        ("NEURON_ADAPTERS_INSTANCE", "inf9.huge", "is not an instance"),
        ("NEURON_ADAPTERS_STATE_DIR", "relative", "is not an absolute path"),
        ("NEURON_ADAPTERS_STATE_DIR", str(unsafe), "can be written to by other users"),
        ("NEURON_ADAPTERS_STATE_DIR", "/etc/hostname", "is a link or not a directory"),
    ):
        done = run_ls(code=1, **{name: value})
        (line,) = done.stderr.splitlines()
        assert line.startswith("neuron-ls: ")
        assert said in line
        assert done.stdout == ""
