"""SPEC T1: neuron-monitor-prometheus, as a Prometheus server sees it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import prometheus_client
import pytest
from exporter_processes import DOCUMENTED, parsed, report_of

from neuron_adapters.tools.prometheus import _exposition

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.prometheus"]
MONITOR = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
INSTANCE = {"instance_name", "instance_id", "instance_type", "availability_zone", "region", "subnet_id"}
TAG = INSTANCE | {"runtime_tag"}
Series = dict[str, list[tuple[dict[str, str], float]]]
Load = Callable[..., Any]


def of(series: Series, name: str, label: str, **wanted: str) -> dict[str, float]:
    """The series of a name whose labels have those values, by another label of theirs."""
    return {
        labels[label]: value for labels, value in series.get(name, []) if wanted.items() <= labels.items()
    }  # fmt: skip


def runtime_of(pid: int, tag: str, **groups: Any) -> dict[str, Any]:
    groups = {name: {"error": "", "period": 1.0, **group} for name, group in groups.items()}
    return {"pid": pid, "neuron_runtime_tag": tag, "error": "", "report": groups}


class Exposed:
    """The exposition alone, through a registry of its own."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.exposition = _exposition.Exposition(self.said.append)
        self.registry = prometheus_client.CollectorRegistry()
        self.registry.register(self.exposition)

    def after(self, *reports: object) -> Series:
        for report in reports:
            self.exposition.update(report)
        return parsed(prometheus_client.generate_latest(self.registry).decode())


# -- what it exposes -----------------------------------------------------------------------------------------------


def test_documented_names_and_labels(load: Load, tool_environment: Callable[..., dict[str, str]], export: Any) -> None:
    """The documented pipe: none missing, none extra, values those of the process."""
    process = load("2", "1x2", NEURON_RT_NUM_CORES="4", NEURON_PROCESS_TAG="blue")
    process.do("burn 0 6 0.002 0")
    process.do("fault 1 2 0 0")
    process.do("python time.sleep(2 * neuron_rt.runtime._PUBLISH_EVERY)")
    monitor = subprocess.Popen(MONITOR, env=tool_environment(), stdout=subprocess.PIPE)
    try:
        exporter = export(stdin=monitor.stdout)
        series = exporter.until(lambda series: "system_vcpu_count" in series)
        own = {name: samples for name, samples in series.items() if not name.startswith(("python_", "process_"))}
        assert {name: set().union(*(labels for labels, _ in samples)) for name, samples in own.items()} == DOCUMENTED
        assert all(set(labels) == DOCUMENTED[name] for name, samples in own.items() for labels, _value in samples)
        assert {name for name in series if name.startswith("process_")} >= {"process_cpu_seconds_total"}
        status = of(series, "execution_status_total", "status_type", runtime_tag="blue")
        assert (status.pop("completed"), status.pop("completed_with_err"), set(status.values())) == (6, 2, {0})
        assert of(series, "execution_errors_total", "error_type")["generic"] == 2
        share = of(series, "neuroncore_utilization_ratio", "neuroncore", runtime_tag="blue")
        assert list(share) == ["0", "1", "2", "3"]
        assert 0 < share["0"] == share["1"] <= 1
        weights = of(series, "neuroncore_memory_usage_constants", "neuroncore")
        memory = of(series, "neuron_runtime_memory_used_bytes", "memory_location", runtime_tag="blue")
        assert sum(weights.values()) == memory["neuron_device"] == 3 * 1_000_003
        assert memory["host"] > 1 << 20
        latency = of(series, "execution_latency_seconds", "percentile")
        assert set(latency) == {"p0", "p1", "p25", "p50", "p75", "p99", "p100"}
        assert 0 < latency["p0"] <= latency["p99"] <= latency["p100"] < 5
        (info,) = series["instance_info"]
        assert (info[0]["instance_type"], info[1]) == ("inf1.6xlarge", 1)
        (hardware,) = series["neuron_hardware_info"]
        assert (hardware[0]["neuron_device_count"], hardware[0]["neuroncore_per_device_count"]) == ("4", "4")
        monitor.terminate()
        assert monitor.wait(PATIENCE) == 0
        assert exporter.end() == (0, "")  # its input has ended
    finally:
        monitor.kill()
        monitor.communicate()


def test_counters_add_up_and_series_go(load: Load, export: Any) -> None:
    """One command; each call is counted once, whoever looks when; what a process had goes with it."""
    first = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="first")
    second = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="second")
    first.do("burn 0 3 0 0")
    exporter = export(period="20ms")

    def completed(series: Series) -> dict[str, float]:
        return of(series, "execution_status_total", "runtime_tag", status_type="completed")

    exporter.until(lambda series: completed(series) == {"first": 3, "second": 0})
    first.do("burn 0 20 0.001 0.002")
    second.do("burn 0 5 0 0")
    exporter.until(lambda series: completed(series) == {"first": 23, "second": 5})
    os.kill(first.pid, signal.SIGKILL)
    series = exporter.until(lambda series: "first" not in completed(series))
    assert not [
        labels for samples in series.values() for labels, _value in samples if labels.get("runtime_tag") == "first"
    ]
    assert completed(series) == {"second": 5}
    exporter.process.send_signal(signal.SIGINT)
    assert exporter.end() == (0, "")


def test_a_group_that_was_not_due_counts_once() -> None:
    stats = {"execution_summary": {"completed": 5}, "period": 1.25}
    exposed = Exposed()
    report = report_of(runtime_of(7, "a", execution_stats=stats))
    assert of(exposed.after(report, report, report), "execution_status_total", "status_type")["completed"] == 5
    again = report_of(runtime_of(7, "a", execution_stats={**stats, "period": 1.5}))
    assert of(exposed.after(again), "execution_status_total", "status_type")["completed"] == 10
    assert of(exposed.after(report), "execution_status_total", "status_type")["completed"] == 15
    assert of(exposed.after(report_of()), "execution_status_total", "status_type") == {}
    assert of(exposed.after(report), "execution_status_total", "status_type")["completed"] == 5


def test_processes_that_share_a_tag() -> None:
    """A series cannot be there twice: sums, and the highest latency. A counter does not fall when one of them ends."""

    def runtime(pid: int, completed: int, latency: float) -> dict[str, Any]:
        return runtime_of(
            pid, "same",
            neuroncore_counters={"neuroncores_in_use": {str(pid): {"neuroncore_utilization": 50}}},
            execution_stats={
                "execution_summary": {"completed": completed}, "latency_stats": {"total_latency": {"p50": latency}}
            },
            memory_used={"neuron_runtime_used_bytes": {"host": 100, "neuron_device": 10}},
            neuron_runtime_vcpu_usage={"vcpu_usage": {"user": 25, "system": 1}},
        )  # fmt: skip

    exposed = Exposed()
    series = exposed.after(report_of(runtime(1, 3, 0.5), runtime(2, 4, 0.25)))
    assert of(series, "execution_status_total", "status_type")["completed"] == 7
    assert of(series, "execution_latency_seconds", "percentile") == {"p50": 0.5}
    assert of(series, "neuroncore_utilization_ratio", "neuroncore") == {"1": 0.5, "2": 0.5}
    assert of(series, "neuron_runtime_memory_used_bytes", "memory_location") == {"host": 200, "neuron_device": 20}
    assert of(series, "neuron_runtime_vcpu_usage_ratio", "usage_type") == {"user": 0.5, "system": 0.02}
    series = exposed.after(report_of(runtime(2, 1, 0.125)))
    assert of(series, "execution_status_total", "status_type")["completed"] == 8
    assert of(series, "neuron_runtime_memory_used_bytes", "memory_location") == {"host": 100, "neuron_device": 10}


def test_machine() -> None:
    """VCPU time in two shares, as on hardware: nice is user's, waiting and interrupts are the system's."""
    usage = {"user": 10, "nice": 5, "system": 20, "idle": 50, "io_wait": 6, "irq": 4, "soft_irq": 5}
    series = Exposed().after(
        report_of(
            vcpu_usage={"average_usage": usage, "usage_data": {"0": usage, "1": usage}, "error": ""},
            memory_info={"memory_total_bytes": 8, "memory_used_bytes": 4, "swap_total_bytes": 2, "swap_used_bytes": 1},
            neuron_hw_counters={"neuron_devices": [{"neuron_device_index": 3, "mem_ecc_corrected": 2}], "error": ""},
        )
    )
    assert of(series, "system_vcpu_usage_ratio", "usage_type") == {"user": 0.15, "system": pytest.approx(0.35)}
    assert [value for _, value in series["system_vcpu_count"]] == [2]
    sizes = [
        series[f"system_{name}_bytes"][0][1] for name in ("memory_total", "memory_used", "swap_total", "swap_used")
    ]
    assert sizes == [8, 4, 2, 1]
    assert of(series, "hardware_ecc_events_total", "event_type", neuron_device_index="3") == {
        "mem_ecc_corrected": 2, "mem_ecc_uncorrected": 0, "sram_ecc_corrected": 0, "sram_ecc_uncorrected": 0
    }  # fmt: skip


def test_errors_in_a_report() -> None:
    """What went wrong is left out and said once, and again when it comes back."""
    exposed = Exposed()
    bad = runtime_of(1, "a", memory_used={"error": "cannot\x1b[2J\nread", "neuron_runtime_used_bytes": {"host": 5}})
    worse = {**runtime_of(2, "b", execution_stats={"execution_summary": {"completed": 1}}), "error": "gone"}
    series = exposed.after(report_of(bad, worse), report_of(bad, worse))
    assert "neuron_runtime_memory_used_bytes" not in series
    assert "execution_status_total" not in series
    assert exposed.said == ["memory_used of process a: cannot?[2J?read", "process b: gone"]
    exposed.after(report_of(), report_of(worse))
    assert exposed.said[2:] == ["process b: gone"]


def test_untrusted_text_stays_in_its_label() -> None:
    tag = 'a"} 1\nforged_total{x="\\'
    group = {
        "neuroncores_in_use": {'0"} 1\nforged{x="': {"neuroncore_utilization": 1}, "1": {"neuroncore_utilization": 1}}
    }
    exposed = Exposed()
    series = exposed.after(report_of(runtime_of(1, tag, neuroncore_counters=group)))
    assert of(series, "neuroncore_utilization_ratio", "neuroncore") == {"1": 0.01}
    (labels,) = [labels for labels, _value in series["neuroncore_utilization_ratio"]]
    assert labels["runtime_tag"] == tag.replace("\n", "?")
    assert not [name for name in series if "forged" in name]
    lone = "\ud800\u202e" + "x" * 1000
    series = exposed.after(report_of(runtime_of(1, lone, neuroncore_counters=group)))
    (labels,) = [labels for labels, _value in series["neuroncore_utilization_ratio"]]
    assert labels["runtime_tag"] == "??" + "x" * 253


WRONG = [None, True, "x", "", -1, 3, 10**400, float("nan"), [], [[]], [None], {}, {"0": None}, {"0": {}}, {"a": [1]}]


@pytest.mark.parametrize("place", range(16))
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_types_are_left_out(place: int, wrong: object) -> None:
    """Wherever in a report they are. Counters never fall."""
    usage = {"user": 10, "nice": 5, "system": 20, "idle": 50, "io_wait": 6, "irq": 4, "soft_irq": 5}
    report = report_of(
        runtime_of(
            1, "a",
            neuroncore_counters={"neuroncores_in_use": {"0": {"neuroncore_utilization": 5}}},
            execution_stats={"error_summary": {}, "execution_summary": {"completed": 5}, "latency_stats": {}},
            memory_used={"neuron_runtime_used_bytes": {"host": 5, "usage_breakdown": {}}},
        ),
        vcpu_usage={"average_usage": usage, "usage_data": {}},
        neuron_hw_counters={"neuron_devices": []},
    )  # fmt: skip
    runtime = report["neuron_runtime_data"][0]
    groups, system = runtime["report"], report["system_data"]
    spots: list[tuple[Any, Any]] = [
        (report, "neuron_runtime_data"), (report["neuron_runtime_data"], 0), (runtime, "report"), (runtime, "pid"),
        (runtime, "neuron_runtime_tag"), (groups, "neuroncore_counters"),
        (groups["neuroncore_counters"], "neuroncores_in_use"), (groups["execution_stats"], "execution_summary"),
        (groups["execution_stats"]["execution_summary"], "completed"), (groups["execution_stats"], "latency_stats"),
        (groups["memory_used"], "neuron_runtime_used_bytes"), (report, "system_data"), (system, "neuron_hw_counters"),
        (system["neuron_hw_counters"], "neuron_devices"),
        (groups["neuroncore_counters"]["neuroncores_in_use"]["0"], "neuroncore_utilization"),
        (groups["memory_used"]["neuron_runtime_used_bytes"], "host"),
    ]  # fmt: skip
    assert len(spots) == 16
    owner, key = spots[place]
    exposed = Exposed()
    exposed.after(report_of(runtime_of(1, "a", execution_stats={"execution_summary": {"completed": 2}})))
    owner[key] = wrong
    series = exposed.after(report)
    assert all(math.isfinite(value) for samples in series.values() for _labels, value in samples)
    assert all(value >= 0 for name, samples in series.items() if name.endswith("_total") for _labels, value in samples)
    assert of(series, "execution_status_total", "status_type", runtime_tag="a").get("completed", 2) >= 2
    assert series["instance_info"][0][0]["instance_type"] == "inf1.xlarge"


@pytest.mark.parametrize(
    "report", [None, [], "x", 5, {}, {"instance_info": 5, "system_data": [], "neuron_runtime_data": {}}]
)
def test_no_report(report: object) -> None:
    assert set(Exposed().after(report)) == {"instance_info"}
