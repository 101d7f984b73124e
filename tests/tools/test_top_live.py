"""SPEC T1: neuron-top as a user calls it, on processes that really run: its numbers, its arguments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from top_processes import WITHOUT, Process

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 60
TOP = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.top"]
Serve = Callable[..., Process]
Top = Callable[..., "subprocess.CompletedProcess[str]"]


def models(process: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in process["models"]}


# -- numbers -----------------------------------------------------------------------------------------------------


def test_counts_are_the_process_s_own(serve_models: Serve, top: Top) -> None:
    server = serve_models(NEURON_PROCESS_TAG="blue")
    server.do("turns", 25)
    server.do("many", 31)
    own = server.do("fail", 7)
    record = json.loads(top("--json", "--interval", "0.1").stdout)
    (process,) = record["processes"]
    assert (process["pid"], process["tag"], process["neuroncores"]) == (server.pid, "blue", [0, 1, 2])
    rows = models(process)
    for name in ("one", "two", "many"):
        said = [rows[name][what] for what in ("calls", "errors", "timeouts", "switches")]
        assert said == own[name]
        assert [sum(each[what] for each in rows[name]["replicas"]) for what in ("calls", "errors")] == said[:2]
    assert own["one"] == [25, 0, 0, 24]
    assert own["two"] == [25, 0, 0, 25]
    assert own["many"] == [38, 7, 0, 0]
    assert [each["neuroncores"] for each in rows["many"]["replicas"]] == [[1], [2]]
    assert rows["many"]["weights_bytes"] == 1 << 20
    assert rows["many"]["file"] == "/models/many"
    assert rows["many"]["latency_seconds"] is None  # none in this tenth of a second
    assert record["neuroncores"][1] == {
        "neuroncore": 1, "neuron_device": 0, "utilization": 0.0, "pid": server.pid, "models": ["many"], "switching": False,
    }  # fmt: skip
    assert record["instance"] == {
        "name": "inf1.6xlarge",
        "device_count": 4,
        "nc_count": 16,
        "cpu_count": record["instance"]["cpu_count"],
    }
    text = top("--once", "--interval", "0.1").stdout
    assert re.search(r"two +0 ", text)
    assert "blue" in text
    assert max(map(len, text.splitlines())) <= 80


def test_rates_under_load(serve_models: Serve, top: Top) -> None:
    """What is said of an interval lies within what the process counted around it."""
    server = serve_models()
    server.do("load", 2)
    before = server.do("many")
    record = json.loads(top("-j", "-i", "0.3").stdout)
    after = server.do("rest")
    (process,) = record["processes"]
    many = models(process)["many"]
    assert before["many"][0] < many["calls"] < after["many"][0]
    calls = many["calls_per_second"] * record["seconds"]
    assert 0 < calls <= after["many"][0] - before["many"][0]
    busy = sum(core["utilization"] for core in record["neuroncores"]) * record["seconds"]
    assert 0 < busy <= (after["spent"] - before["spent"]) * 1e-9 * 1.01  # the record is rounded
    assert all(core["utilization"] <= 1 for core in record["neuroncores"])
    assert many["latency_seconds"]["p99"] >= many["latency_seconds"]["p50"] >= 0.0003 / 1.5  # half a bucket's width
    assert process["vcpu"]["user"] > 0
    assert process["memory_bytes"] > 1 << 20


def test_torch(serve_models: Serve, top: Top) -> None:
    server = serve_models("top_torch.py")
    own = server.do("call", 12)
    (process,) = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    (model,) = process["models"]
    assert model["name"] == own["name"]
    assert model["framework"] == "torch"
    assert [each["calls"] for each in model["replicas"]] == own["calls"]
    assert sum(own["calls"]) == 12


def test_killed_process_disappears(serve_models: Serve, top: Top) -> None:
    first, second = serve_models(), serve_models()
    pids = lambda: [process["pid"] for process in json.loads(top("-j", "-i", "0.1").stdout)["processes"]]
    assert pids() == [first.pid, second.pid]
    first.process.kill()
    first.process.wait()
    assert pids() == [second.pid]


def test_newer_version(serve_models: Serve, top: Top) -> None:
    """Counters of another version are not believed, and what the record says stays; a record of another version is
    left out. The process goes on."""
    server = serve_models()
    server.do("newer", 99)
    (process,) = json.loads(top("-j", "-i", "0.1").stdout)["processes"]
    assert (process["counted"], sorted(models(process))) == (False, ["many", "one", "two"])
    assert all(model["replicas"] == [] for model in process["models"])
    assert "its counters cannot be read" in top("-o", "-i", "0.1", COLUMNS="200").stdout
    server.do("record", 99)
    assert json.loads(top("-j", "-i", "0.1").stdout)["processes"] == []
    assert server.do("many", 3)["many"][0] == 3


# -- arguments and outputs ---------------------------------------------------------------------------------------


def test_nobody_ever_ran(top: Top, tmp_path: Path) -> None:
    """No directory afterwards, either. Without a terminal it is one frame."""
    text = top("--interval", "0.1").stdout
    assert "No process has loaded a model." in text
    assert "0 processes" in text
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "words", [["-i", "0"], ["-i", "nan"], ["-i", "1e9"], ["-p", "70000"], ["-o", "-j"], ["--on"], ["x"]]
)
def test_wrong_arguments(top: Top, words: list[str]) -> None:
    assert "neuron-top: error: " in top(*words, code=2).stderr


def test_unusable_state_directory(top: Top, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (["-o"], ["-j"], []):
        said = top(*words, "-i", "0.1", code=1, NEURON_ADAPTERS_STATE_DIR=str(tmp_path / "file")).stderr
        assert said.count("\n") == 1
        assert "NEURON_ADAPTERS_STATE_DIR" in said
        assert "not a directory" in said
    assert "NEURON_ADAPTERS_INSTANCE" in top("-o", code=1, NEURON_ADAPTERS_INSTANCE="none").stderr


def test_output_that_is_closed_or_full(top_environment: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*TOP, "-o", "-i", "0.1"], env=top_environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "neuron-top: [Errno 28] No space left on device\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*TOP, "-o", "-i", "0.1"], env=top_environment, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_locale_without_unicode(top: Top) -> None:
    assert top("-o", "-i", "0.1", PYTHONIOENCODING="latin-1").stdout.isascii()
    assert top("-o", "-i", "0.1", "--ascii").stdout.isascii()
    assert not top("-o", "-i", "0.1").stdout.isascii()


@pytest.mark.parametrize(
    ("missing", "words"),
    [("psutil", ["--once"]), ("psutil", ["--json"]), ("textual_serve", ["--web"]), ("aiohttp", ["-w"])],
)
def test_missing_extra(top_environment: dict[str, str], missing: str, words: list[str]) -> None:
    script = WITHOUT.format(missing=missing, words=words)
    done = subprocess.run(
        [sys.executable, "-c", script], env=top_environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"neuron-top: needs the package {missing}, which is not installed: pip install 'neuron-adapters[tools]'\n"
    )


def test_what_needs_no_extra(top_environment: dict[str, str]) -> None:
    """Help needs nothing, and a frame no Textual."""
    for missing, words in (("psutil", ["--help"]), ("textual", ["--once", "-i", "0.1"])):
        script = WITHOUT.format(missing=missing, words=words)
        done = subprocess.run(
            [sys.executable, "-c", script], env=top_environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "neuron-top" in done.stdout
