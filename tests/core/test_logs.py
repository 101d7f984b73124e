"""SPEC T1: NEURON_RT_LOG_LEVEL and NEURON_RT_LOG_LOCATION, and the records that applications format themselves."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]


def run(start: Start, *arguments: str, script: str = "logs_run.py", **variables: str) -> list[str]:
    out, err = start(script, *arguments, **variables).communicate(timeout=60)
    assert out == ""
    return err.splitlines()


def test_unset_nothing_is_changed(start: Start) -> None:
    assert run(start) == ["careful"], "as logging does by itself"


@pytest.mark.parametrize(
    ("level", "count"), [("ERROR", 0), ("WARN", 1), ("warning", 1), ("INFO", 3), ("DEBUG", 4), ("TRACE", 4)]
)
def test_levels(start: Start, level: str, count: int) -> None:
    """One INFO that NCs share CPUs may come or not: machines differ."""
    lines = [line for line in run(start, NEURON_RT_LOG_LEVEL=level) if "share" not in line]
    assert len(lines) in {count, count - 1 if count > 2 else count}
    for line in lines:
        assert re.match(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (WARNING|INFO|DEBUG) neuron_(rt|adapters)\[\d+\]: ", line
        )


def test_what_a_record_is_about_stands_behind_its_text(start: Start) -> None:
    (placed,) = (line for line in run(start, NEURON_RT_LOG_LEVEL="DEBUG") if "placed" in line)
    assert placed.endswith(": a model.pt placed on NC0-NC1 event=placed model='a model.pt' ncs=NC0-NC1 engine=python")


def test_an_application_that_logs_gets_the_records_itself(start: Start) -> None:
    lines = [line for line in run(start, "format", NEURON_RT_LOG_LEVEL="DEBUG") if "NC" in line]
    assert lines[-2:] == ["INFO started NC0-NC15", "DEBUG placed NC0-NC1"]


def test_a_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "neuron.log"
    assert run(start, NEURON_RT_LOG_LEVEL="INFO", NEURON_RT_LOG_LOCATION=str(path)) == []
    assert "WARNING neuron_adapters[" in path.read_text()


def test_the_systems_log(start: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(60)
        run(start, path, NEURON_RT_LOG_LEVEL="WARNING", NEURON_RT_LOG_LOCATION="SYSLOG")
        assert re.match(rb"<\d+>neuron_adapters\[\d+\]: careful", listening.recv(1000))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NEURON_RT_LOG_LEVEL", "loud", "is not a level. Accepted: ERROR, WARNING, WARN, INFO, DEBUG, TRACE."),
        (
            "NEURON_RT_LOG_LOCATION",
            "here",
            "is not a place for the log. Accepted: console, syslog or the absolute path of a file.",
        ),
        ("NEURON_RT_LOG_LOCATION", "/no/such/file", "cannot be written to (No such file or directory)."),
    ],
)
def test_malformed_values(start: Start, variable: str, value: str, said: str) -> None:
    """C5: and nothing was taken."""
    (line,) = run(start, script="config_error.py", **{variable: value})
    assert line.startswith(f"{variable}={value!r}: {said}")
