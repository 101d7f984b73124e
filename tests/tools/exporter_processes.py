"""neuron-monitor-prometheus in processes of its own, and what its tests read of a scrape."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.prometheus"]
INSTANCE = {"instance_name", "instance_id", "instance_type", "availability_zone", "region", "subnet_id"}
TAG = INSTANCE | {"runtime_tag"}


#: The documented names, each with the labels that a scrape of hardware shows.
DOCUMENTED = {
    "instance_info": INSTANCE,
    "neuron_hardware_info": INSTANCE | {"neuron_device_count", "neuroncore_per_device_count"},
    "neuroncore_utilization_ratio": TAG | {"neuroncore"},
    "execution_status_total": TAG | {"status_type"},
    "execution_status_created": TAG | {"status_type"},
    "execution_errors_total": TAG | {"error_type"},
    "execution_errors_created": TAG | {"error_type"},
    "execution_latency_seconds": TAG | {"percentile"},
    "neuron_runtime_memory_used_bytes": TAG | {"memory_location"},
    "neuroncore_memory_usage_constants": TAG | {"memory_location", "neuroncore"},
    "neuroncore_memory_usage_model_code": TAG | {"memory_location", "neuroncore"},
    "neuroncore_memory_usage_model_shared_scratchpad": TAG | {"memory_location", "neuroncore"},
    "neuroncore_memory_usage_runtime_memory": TAG | {"memory_location", "neuroncore"},
    "neuroncore_memory_usage_tensors": TAG | {"memory_location", "neuroncore"},
    "neuron_runtime_vcpu_usage_ratio": TAG | {"usage_type"},
    "system_vcpu_count": INSTANCE,
    "system_vcpu_usage_ratio": INSTANCE | {"usage_type"},
    "system_memory_total_bytes": INSTANCE,
    "system_memory_used_bytes": INSTANCE,
    "system_swap_total_bytes": INSTANCE,
    "system_swap_used_bytes": INSTANCE,
    "hardware_ecc_events_total": INSTANCE | {"event_type", "neuron_device_index"},
    "hardware_ecc_events_created": INSTANCE | {"event_type", "neuron_device_index"},
}


Series = dict[str, list[tuple[dict[str, str], float]]]


def parsed(text: str) -> Series:
    """Every series by its name."""
    series: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return series


class Exporter:
    def __init__(self, words: tuple[str, ...], env: dict[str, str], **more: Any) -> None:
        more.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *words], env=env, stderr=subprocess.PIPE, text=True, **more
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        match = re.fullmatch(r"neuron-monitor-prometheus: serving (https?://\S+/metrics)\n", line)
        assert match, line
        self.url = match[1]
        self.context: ssl.SSLContext | None = None
        """What knows who signs its certificate, where it has one."""

    def scrape(self) -> Series:
        with urllib.request.urlopen(self.url, timeout=PATIENCE, context=self.context) as answer:
            return parsed(answer.read().decode())

    def until(self, enough: Callable[[Series], object]) -> Series:
        while not enough(series := self.scrape()):
            assert self.process.poll() is None
            time.sleep(0.02)
        return series

    def end(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        return self.process.wait(PATIENCE), said


@pytest.fixture
def export(tmp_path: Path, tool_environment: Callable[..., dict[str, str]]) -> Iterator[Callable[..., Exporter]]:
    """Start the exporter; ``period`` makes it run the monitor itself."""
    running: list[Exporter] = []

    def start(*words: str, period: str | None = None, stdin: Any = subprocess.DEVNULL, **variables: str) -> Exporter:
        if period is not None:
            file = tmp_path / "monitor.conf"
            groups = ("neuroncore_counters", "execution_stats", "memory_used", "neuron_runtime_vcpu_usage")
            system = ("neuron_hw_counters", "vcpu_usage", "memory_info")
            config = {
                "period": period,
                "neuron_runtimes": [{"metrics": [{"type": kind} for kind in groups]}],
                "system_metrics": [{"type": kind} for kind in system],
            }
            file.write_text(json.dumps(config))
            words = ("--config-file", str(file), *words)
        running.append(Exporter(words, tool_environment(**variables), stdin=stdin))
        return running[-1]

    yield start
    for exporter in running:
        exporter.process.kill()
        with exporter.process:  # waits, and closes its pipes
            pass


def report_of(*runtimes: dict[str, Any], **system: Any) -> dict[str, Any]:
    return {
        "neuron_runtime_data": list(runtimes),
        "system_data": system,
        "instance_info": {"instance_type": "inf1.xlarge", "instance_region": "nowhere", "error": "none"},
        "neuron_hardware_info": {"neuron_device_count": 1, "neuroncore_per_device_count": 4, "error": ""},
    }
