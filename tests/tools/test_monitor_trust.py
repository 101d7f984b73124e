"""SPEC T1: neuron-monitor believes no record or counter further than it makes sense, and no reader harms it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor_processes import Running

from neuron_adapters.tools.monitor._config import RUNTIME_GROUPS
from neuron_rt.telemetry import H_VERSION, VERSION, WORD

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
Report = dict[str, Any]
Load = Callable[..., Any]
Monitor = Callable[..., Running]


# -- what it reads is not to be trusted ----------------------------------------------------------------------------


def board_of(state: Path) -> Path:
    (board,) = state.glob("*.board")
    return board


def write_over(file: Path, record: Any) -> None:
    new = file.with_name(f".{file.name}")
    new.write_text(json.dumps(record))
    os.replace(new, file)


@pytest.mark.parametrize("version", [VERSION + 1, -1])
def test_counters_of_another_version(load: Load, monitor: Monitor, tmp_path: Path, version: int) -> None:
    """What its record and the kernel say is told; of the rest, the error says why it is not there."""
    process = load("1", NEURON_RT_NUM_CORES="2")
    with open(board_of(tmp_path / "state"), "r+b") as file:
        os.pwrite(file.fileno(), version.to_bytes(8, sys.byteorder, signed=True), H_VERSION * WORD)
    (report,) = monitor().until(len, process.pid)
    for group in ("neuroncore_counters", "execution_stats", "memory_used"):
        assert (
            report[group]["error"]
            == "its counters cannot be read: they are damaged, or of another version of neuron_rt"
        )
    assert report["neuron_runtime_vcpu_usage"]["error"] == ""
    assert report["execution_stats"]["execution_summary"]["completed"] == 0
    assert report["memory_used"]["neuron_runtime_used_bytes"]["host"] > 1 << 20


def test_record_of_a_newer_version(load: Load, monitor: Monitor, tmp_path: Path) -> None:
    process = load("1", NEURON_RT_NUM_CORES="1")
    honest = load("1", NEURON_RT_NUM_CORES="1")
    file, record = process.record(tmp_path / "state")
    write_over(file, {**record, "version": record["version"] + 1})
    assert set(next(monitor().runtimes())) == {honest.pid}


def test_hostile_record(load: Load, monitor: Monitor, tmp_path: Path) -> None:
    """Nothing in it ends the monitor, or leaves the line that it is told in."""
    process = load("1", NEURON_RT_NUM_CORES="1")
    honest = load("1", NEURON_RT_NUM_CORES="1")
    file, record = process.record(tmp_path / "state")
    lie = {
        **record,
        "tag": "\x1b[2J\nred\u202e",
        "instance": ["inf1.xlarge"],
        "ncs": [-1, 0, 0, 10**30],
        "models": [
            {
                "number": 1,
                "name": "\n\x1b]0;x\x07",
                "weights": -5,
                "file": 3,
                "framework": None,
                "nc_count": "2",
            },
            {"number": 2**70, "weights": 10**40},
            {"number": True},
            "x",
            None,
        ],
    }
    write_over(file, lie)
    running = monitor("20ms")
    for _turn in range(3):
        report = next(iter(running))
        told = {runtime["pid"]: runtime for runtime in report["neuron_runtime_data"]}
        assert set(told) == {process.pid, honest.pid}
        assert told[process.pid]["neuron_runtime_tag"] == "?[2J?red?"
        assert told[process.pid]["report"]["memory_used"]["loaded_models"][0]["name"] == "??]0;x?"
    running.stop()


def test_torn_board(load: Load, monitor: Monitor, tmp_path: Path) -> None:
    """Random words where the counters were: told as they are or not at all, but always in the documented form."""
    process = load("1", "1x2", NEURON_RT_NUM_CORES="2")
    board = board_of(tmp_path / "state")
    running, size = monitor("10ms"), board.stat().st_size
    seed = random.Random(7)
    with open(board, "r+b") as file:
        for report in running.until(lambda so_far: len(so_far) == 15, process.pid):
            assert list(report) == list(RUNTIME_GROUPS)
            place = seed.randrange(16, min(size, 4000)) // WORD * WORD
            os.pwrite(file.fileno(), seed.randbytes(200), place)
    running.stop()


# -- its reader ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_signals_end_it(monitor: Monitor, number: int, ignored: bool) -> None:
    """Cleanly, also where a shell had it started in the background."""
    more = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)} if ignored else {}
    running = monitor(None, **more)
    next(iter(running))
    running.stop(number)


@contextlib.contextmanager
def narrow_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that holds no whole report."""
    left, right = os.pipe()
    fcntl.fcntl(right, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield left, right
    finally:
        os.close(left)
        os.close(right)


def until_full(pipe: int) -> None:
    while select.select([], [pipe], [], 0)[1]:
        time.sleep(0.01)


def test_slow_reader(load: Load, monitor: Monitor) -> None:
    """A pipe that nobody empties holds up the monitor alone, which misses nothing and still ends at a signal."""
    process = load("1", NEURON_RT_NUM_CORES="16")
    with narrow_pipe() as (left, right):
        running = monitor("10ms", stdout=right)
        until_full(right)
        assert process.do("burn 0 50 0.0001 0")["ended"] == [50, 0, 0]
        total = 0
        with open(os.dup(left)) as lines:
            for line in lines:
                (runtime,) = json.loads(line)["neuron_runtime_data"]
                total += runtime["report"]["execution_stats"]["execution_summary"]["completed"]
                if total >= 50:
                    break
        assert total == 50
        until_full(right)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0


def test_reader_goes(load: Load, monitor: Monitor) -> None:
    """It ends quietly, as ``| head -1`` wants it."""
    load("1", NEURON_RT_NUM_CORES="1")
    running = monitor("10ms")
    next(iter(running))
    assert running.process.stdout is not None
    running.process.stdout.close()
    assert running.process.wait(PATIENCE) == 0
    assert running.process.stderr is not None
    assert running.process.stderr.read() == b""


def test_killed_at_any_time(load: Load, monitor: Monitor) -> None:
    """The processes go on, and the next monitor finds all that they counted."""
    process = load("1", NEURON_RT_NUM_CORES="1")
    total = 0
    for turn in range(4):
        running = monitor("10ms")
        running.until(lambda so_far, turn=turn: len(so_far) == 2 * turn + 1, process.pid)
        process.tell("burn 0 20 0.001 0")
        running.process.kill()
        total += process.answer()["ended"][0]
    (report,) = monitor().until(len, process.pid)
    assert report["execution_stats"]["execution_summary"]["completed"] == total == 80


def test_output_that_does_not_block(load: Load, monitor: Monitor) -> None:
    """Another program that shares it may have made it so: lines stay whole."""
    load("1", NEURON_RT_NUM_CORES="16")
    with narrow_pipe() as (left, right):
        os.set_blocking(right, False)
        running = monitor("10ms", stdout=right)
        with open(os.dup(left)) as lines:
            for _turn in range(3):
                until_full(right)
                assert len(json.loads(lines.readline())["neuron_runtime_data"]) == 1
        running.process.kill()


def test_output_that_cannot_be_written(tool_environment: Callable[..., dict[str, str]]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(COMMAND, env=tool_environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "neuron-monitor: [Errno 28] No space left on device\n")
    line = 'exec "$0" -m neuron_adapters.tools.monitor >&-'
    done = subprocess.run(["sh", "-c", line, sys.executable], env=tool_environment(), stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("neuron-monitor: standard output is closed")
