"""The emulated machine itself: its shape, what comes out of it, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

MACHINE = Path(__file__).parent / "machine"
SHAPE = "cat /sys/devices/system/node/node*/cpulist /sys/devices/system/cpu/cpu*/topology/thread_siblings_list"


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, MACHINE, *words], env={**os.environ, **variables}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (["--cpus=3"], ["0-2", "0", "1", "2"]),
        (
            ["--cpus=8", "--sockets=2", "--threads=2"],
            ["0-3", "4-7", "0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6-7", "6-7"],
        ),
        (["--cpus=4", "--sockets=4"], ["0", "1", "2", "3"] * 2),
    ],
)
def test_shape(shape: list[str], expected: list[str]) -> None:
    """CPUs of each NUMA node, and of the core of each CPU."""
    done = run(*shape, "--", "sh", "-c", SHAPE)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, expected, "")


def test_command(tmp_path: Path) -> None:
    """Its folder, files, output to the byte, errors and exit status; words arrive as they are."""
    (tmp_path / "file").write_text("here\n")
    script = 'pwd; cat file; echo "$1" >&2; printf "a\\r\\nb\\t\\0"; echo lost >file; exit 7'
    done = subprocess.run(
        [MACHINE, "-c1", "sh", "-c", script, "-", "a 'b' $HOME \\ é"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout == f"{tmp_path}\nhere\na 'b' $HOME \\ é\na\r\nb\t\0".encode()
    assert (tmp_path / "file").read_text() == "here\n"


def test_time_limit() -> None:
    done = run("--time=8", "--", "sh", "-c", "echo begun; sleep 60")
    assert (done.returncode, done.stdout) == (124, "begun\n")
    assert done.stderr == "machine: the command did not end within 8 s\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--cpus=6", "--sockets=4", "true"], "6 CPUs are not whole cores of 1 on 4 equal sockets"),
        (["--cpus=0", "true"], "numbers start at 1"),
        ([], "a command is missing"),
    ],
)
def test_wrong_arguments(words: list[str], text: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert text in done.stderr


def test_missing_packages(tmp_path: Path) -> None:
    """One line that says what to install."""
    done = run("true", PATH=str(tmp_path))
    command = "apt-get install --no-install-recommends qemu-system-x86 busybox-static"
    assert (done.returncode, done.stderr) == (125, f"machine: missing; install with: {command}\n")


def children(pid: int) -> set[int]:
    """Processes that a process has started and that run."""
    running = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            running.add(int(folder.name))
    return running


def alive(pids: set[int]) -> Iterator[int]:
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                yield pid
        except OSError:
            continue


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    """However it ends: no process, no file, no mount."""
    mounts = Path("/proc/mounts").read_text()
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [MACHINE, "sh", "-c", "echo begun; sleep 60"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    started = children(process.pid)
    assert len(started) == 2, "QEMU and the file server"
    process.send_signal(number)
    assert process.wait(20) == (-number if number == signal.SIGKILL else 128 + number)
    process.stdout.close()
    end = time.monotonic() + 20
    while list(alive(started)) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(alive(started)) == []
    assert Path("/proc/mounts").read_text() == mounts
    assert list(tmp_path.iterdir()) == []


def test_topology() -> None:
    """SPEC I1, I3 on what a kernel tells: two sockets of two cores of two threads, whole, then with a thread and then with
    a core switched off."""
    root = MACHINE.parents[2]
    words = [sys.executable, str(MACHINE.parent / "scripts/topology.py"), "[[], [1], [2, 3]]"]
    done = run("-c8", "-s2", "-T2", "--", "env", f"PYTHONPATH={root / 'core'}:{root}", *words)
    assert done.returncode == 0, done.stdout
    whole, narrow, uneven = map(json.loads, done.stdout.splitlines())
    assert whole["cpus"] == [[cpu, cpu // 4, cpu // 2 * 2] for cpu in range(8)]
    assert whole["ncs"]["2"] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert whole["ncs"]["4"] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert whole["ncs"]["8"] == [[cpu] for cpu in range(8)]
    assert whole["doctor"][0] == "node 0: NC0-NC1; node 1: NC2-NC3"
    assert whole["doctor"][1].startswith(
        "group 0 (NC0-NC2) spans NUMA nodes 0 and 1 (NC0-NC1 on node 0, NC2 on node 1)"
    )
    assert narrow["cpus"][:2] == [[0, 0, 0], [2, 0, 2]]
    assert narrow["ncs"]["3"] == [[2, 3], [4, 5], [6, 7]]
    assert narrow["ncs"]["4"] == [[0], [2], [4], [6]]
    assert uneven["cpus"] == [[0, 0, 0], *([cpu, 1, cpu // 2 * 2] for cpu in range(4, 8))]
    assert uneven["ncs"]["1"] == [[0, 4, 5, 6, 7]]
    assert uneven["ncs"]["2"] == [[4, 5], [6, 7]]
    assert uneven["ncs"]["3"] == [[0], [4], [6]]
    assert uneven["ncs"]["5"] == [[0], [4], [5], [6], [7]]
