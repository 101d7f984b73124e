"""SPEC T1: the timeline, as Perfetto would read it."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neuron_rt
from neuron_rt import Model, PlainFramework, Runtime

Start = Callable[..., "subprocess.Popen[str]"]


def events(path: Path, phase: str = "X") -> list[dict[str, Any]]:
    return [event for event in json.loads(path.read_text()) if event["ph"] == phase]


def names(path: Path) -> dict[int, str]:
    return {event["tid"]: event["args"]["name"] for event in events(path, "M") if event["name"] == "thread_name"}


def make(name: str, runtime: Runtime, nc_count: int = 1) -> Model:
    model = Model(name, nc_count, PlainFramework(), kind="python")
    runtime.place(model)
    return model


def test_every_nc_has_a_track_with_what_ran_there(start: Start, tmp_path: Path) -> None:
    """Times are those of the calls, and models on one NC do not overlap."""
    path = tmp_path / "run.json"
    process = start(
        "recording_serve.py", NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_TRACE=str(path), NEURON_PROCESS_TAG="blue"
    )
    assert process.communicate(timeout=60)[1] == ""
    assert names(path) == {1: "NC0", 2: "NC1"}
    (title,) = (event["args"]["name"] for event in events(path, "M") if event["name"] == "process_name")
    assert title.startswith("[blue] ")
    for track in (1, 2):
        ran = sorted((e for e in events(path) if e["tid"] == track), key=lambda event: event["ts"])
        assert [event["name"] for event in ran] == ["one.pt", "two.pt"] * 3
        assert all(event["dur"] >= 10_000 for event in ran)  # microseconds
        assert all(first["ts"] + first["dur"] <= second["ts"] for first, second in itertools.pairwise(ran))
        switched = [event for event in events(path, "i") if event["tid"] == track]
        assert [event["name"] for event in switched] == ["switch to two.pt", "switch to one.pt"] * 2 + [
            "switch to two.pt"
        ]
    assert {event["pid"] for event in json.loads(path.read_text())} == {process.pid}


def test_who_waits_has_a_track_of_its_own(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    runtime = make_runtime(NEURON_RT_NUM_CORES="1")
    running, waiting = make("one", runtime), make("two", runtime)
    inside, go_on = threading.Event(), threading.Event()
    with neuron_rt.timeline(tmp_path / "run.json"):
        first = threading.Thread(target=running.run, args=(lambda: (inside.set(), go_on.wait()),))
        second = threading.Thread(target=waiting.run, args=(int,))
        first.start()
        assert inside.wait(60)
        second.start()
        while not runtime._lanes.waiters:
            time.sleep(0.001)
        time.sleep(0.02)
        go_on.set()
        first.join()
        second.join()
    by_name = {event["name"]: event for event in events(tmp_path / "run.json")}
    wait, ran = by_name["wait for two"], by_name["two"]
    assert names(tmp_path / "run.json")[wait["tid"]] == f"thread {second.native_id}, waiting"
    assert wait["dur"] >= 20_000
    assert ran["ts"] == pytest.approx(wait["ts"] + wait["dur"])
    assert ran["args"] == {"thread": second.native_id, "waited_us": wait["dur"]}


def test_nothing_is_recorded_outside_the_block(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    model = make("m", make_runtime())
    model.run(int)
    with neuron_rt.timeline(tmp_path / "outer.json"):
        with neuron_rt.timeline(str(tmp_path / "inner.json")):
            model.run(int)
        with pytest.raises(ValueError, match="no"):
            model.run(int, "no")
    model.run(int)
    assert [event["args"].get("error") for event in events(tmp_path / "inner.json")] == [None]
    assert [event["args"].get("error") for event in events(tmp_path / "outer.json")] == [None, True]


def test_several_processes_write_one_picture(start: Start, tmp_path: Path) -> None:
    """Together into one file; after them it is begun anew."""
    path = tmp_path / "run.json"
    together = [
        start("recording_serve.py", "wait", NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_TRACE=str(path)) for _ in range(3)
    ]
    for process in together:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
    for process in together:
        assert process.communicate("", timeout=60)[1] == ""
    ran = [(event["pid"], event["name"]) for event in events(path) if event["tid"] % 2]
    assert sorted(ran) == sorted((process.pid, name) for process in together for name in ["one.pt", "two.pt"] * 3)
    alone = start("recording_serve.py", NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_TRACE=str(path))
    alone.communicate(timeout=60)
    assert {event["pid"] for event in events(path)} == {alone.pid}


def test_a_killed_process_leaves_a_whole_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    process = start("recording_serve.py", "wait", NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_TRACE=str(path))
    end = time.monotonic() + 60
    while not (path.exists() and '"X"' in path.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert {event["name"] for event in events(path)} <= {"one.pt", "two.pt"}
    assert events(path)


def test_an_exit_handler_is_recorded_too(start: Start, tmp_path: Path) -> None:
    """X4. A forked child, which owns nothing, writes nothing."""
    process = start("an_exit_handler_is_recorded_too.py", NEURON_ADAPTERS_TRACE=str(tmp_path / "run.json"))
    assert process.communicate(timeout=60)[1] == ""
    assert [event["name"] for event in events(tmp_path / "run.json")] == ["late", "late"]


@pytest.mark.parametrize(("where", "why"), [("no/such/run.json", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_written_is_an_error_at_the_start(
    start: Start, tmp_path: Path, where: str, why: str
) -> None:
    process = start("recording_refused.py", str(tmp_path / where), NEURON_ADAPTERS_TRACE=str(tmp_path / where))
    out, err = process.communicate(timeout=60)
    assert err == ""
    said, *rest = out.splitlines()
    assert said.startswith("NEURON_ADAPTERS_TRACE='")
    assert said.endswith(f": cannot be written to ({why}). Accepted: the path of a file in a directory that exists.")
    assert rest == ["16", "refused"]


def test_a_full_disk_ends_the_recording_and_nothing_else(start: Start, tmp_path: Path) -> None:
    process = start(
        "a_full_disk_ends_the_recording_and_nothing_else.py", NEURON_ADAPTERS_TRACE=str(tmp_path / "run.json")
    )
    out, err = process.communicate(timeout=60)
    assert out == "42\n"
    assert err == f"{tmp_path / 'run.json'}: recording ends, it cannot be written: No space left on device\n"
    assert isinstance(events(tmp_path / "run.json"), list), "and the file is whole"
