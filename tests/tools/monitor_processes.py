"""neuron-monitor in processes of its own, and what its tests read of its reports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neuron_adapters.tools.monitor._config import SYSTEM_GROUPS

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
Report = dict[str, Any]


#: The documented example, whose groups are all there are.
DOCUMENTED = {
    "period": "1s",
    "neuron_runtimes": [
        {
            "tag_filter": ".*",
            "metrics": [
                {"type": "neuroncore_counters"},
                {"type": "memory_used"},
                {"type": "neuron_runtime_vcpu_usage"},
                {"type": "execution_stats"},
            ],
        }
    ],
    "system_metrics": [{"type": "vcpu_usage"}, {"type": "memory_info"}, {"period": "2s", "type": "neuron_hw_counters"}],
}


class Running:
    """neuron-monitor in a process of its own."""

    def __init__(self, words: list[str], env: dict[str, str], **more: Any) -> None:
        more = {"stdout": subprocess.PIPE, **more}
        self.process = subprocess.Popen([*COMMAND, *words], env=env, stderr=subprocess.PIPE, **more)

    def __iter__(self) -> Iterator[Report]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            assert line.endswith(b"}\n")
            assert line.isascii()
            yield json.loads(line)

    def runtimes(self) -> Iterator[dict[int, Report]]:
        """Of each report, those of the processes."""
        for report in self:
            yield {runtime["pid"]: runtime["report"] for runtime in report["neuron_runtime_data"]}

    def until(self, enough: Callable[[list[Report]], bool], pid: int) -> list[Report]:
        """Reports on a process, until there are enough."""
        reports: list[Report] = []
        for report in self.runtimes():
            if pid in report:
                reports.append(report[pid])
            if enough(reports):
                break
        return reports

    def stop(self, number: int = signal.SIGINT) -> None:
        """It ends by itself, quietly."""
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0
        assert self.process.stderr is not None
        assert self.process.stderr.read() == b""


@pytest.fixture
def monitor(tmp_path: Path, tool_environment: Callable[..., dict[str, str]]) -> Iterator[Callable[..., Running]]:
    """Start neuron-monitor with a configuration; a text is the period of everything."""
    running: list[Running] = []

    def start(config: object = None, *words: str, **variables: Any) -> Running:
        more = {name: variables.pop(name) for name in ("preexec_fn", "stdout") if name in variables}
        if isinstance(config, str):
            config = {**DOCUMENTED, "period": config}
            config["system_metrics"] = [{"type": kind} for kind in SYSTEM_GROUPS]
        if config is not None:
            file = tmp_path / f"monitor{len(running)}.conf"
            file.write_text(json.dumps(config))
            words = ("-c", str(file), *words)
        running.append(Running(list(words), tool_environment(**variables), **more))
        return running[-1]

    yield start
    for started in running:
        started.process.kill()
        with started.process:  # waits, and closes its pipes
            pass
