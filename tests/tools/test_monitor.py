"""SPEC T1: neuron-monitor, as its readers see it, on processes that really run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from monitor_processes import Running

from neuron_adapters.tools.monitor import _groups
from neuron_adapters.tools.monitor._reports import Timetable
from neuron_adapters.tools.shared.samples import ModelChange, ProcessChange, Replica
from neuron_rt import Owner

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
Report = dict[str, Any]
HOST = {"application_memory": int, "constants": int, "dma_buffers": int, "tensors": int}
LATENCY = dict.fromkeys(("p0", "p1", "p25", "p50", "p75", "p99", "p100"), float)
CPU = dict.fromkeys(("user", "nice", "system", "idle", "io_wait", "irq", "soft_irq"), float)


def report_of(ncs: list[int], models: list[list[int]], cpus: list[str], devices: int) -> Report:
    """The documented report, with a type in the place of each value. ``models``: NCs of each replica."""
    nc_memory = dict.fromkeys(("constants", "model_code", "model_shared_scratchpad", "runtime_memory", "tensors"), int)
    loaded = {"constants": int, "model_code": int, "runtime_memory": int, "tensors": int}
    used = {"host": int, "neuron_device": int, "usage_breakdown": {"host": HOST, "neuron_device": loaded}}
    group = {"period": float, "error": str}
    return {
        "neuron_runtime_data": [
            {
                "pid": int,
                "address": str,
                "neuron_runtime_tag": str,
                "error": str,
                "report": {
                    "neuroncore_counters": {
                        **group,
                        "neuroncores_in_use": {str(nc): {"neuroncore_utilization": float, "flops": int} for nc in ncs},
                    },
                    "execution_stats": {
                        **group,
                        "error_summary": dict.fromkeys(
                            ("generic", "numerical", "transient", "model", "runtime", "hardware"), int
                        ),
                        "execution_summary": dict.fromkeys(
                            (
                                "completed",
                                "completed_with_err",
                                "completed_with_num_err",
                                "timed_out",
                                "incorrect_input",
                                "failed_to_queue",
                            ),
                            int,
                        ),
                        "latency_stats": {"total_latency": LATENCY, "device_latency": LATENCY},
                    },
                    "memory_used": {
                        **group,
                        "neuron_runtime_used_bytes": {
                            "host": int,
                            "neuron_device": int,
                            "usage_breakdown": {
                                "host": HOST,
                                "neuroncore_memory_usage": {str(nc): nc_memory for nc in ncs},
                            },
                        },
                        "loaded_models": [
                            {
                                "name": str,
                                "uuid": str,
                                "model_id": int,
                                "is_running": bool,
                                "subgraphs": {
                                    f"sg_{place:02d}": {
                                        "memory_used_bytes": used,
                                        "neuroncore_index": int,
                                        "neuron_device_index": int,
                                    }
                                    for place in range(len(replica))
                                },
                            }
                            for replica in models
                        ],
                    },
                    "neuron_runtime_vcpu_usage": {**group, "vcpu_usage": {"user": float, "system": float}},
                },
            }
        ],
        "system_data": {
            "neuron_hw_counters": {
                **group,
                "neuron_devices": [
                    dict.fromkeys(
                        (
                            "neuron_device_index",
                            "mem_ecc_corrected",
                            "mem_ecc_uncorrected",
                            "sram_ecc_uncorrected",
                            "sram_ecc_corrected",
                        ),
                        int,
                    )
                ]
                * devices,
            },
            "vcpu_usage": {
                **group,
                "average_usage": CPU,
                "usage_data": dict.fromkeys(cpus, CPU),
                "context_switch_count": int,
            },
            "memory_info": {
                **group,
                "memory_total_bytes": int,
                "memory_used_bytes": int,
                "swap_total_bytes": int,
                "swap_used_bytes": int,
            },
        },
        "instance_info": dict.fromkeys(
            (
                "instance_name",
                "instance_id",
                "instance_type",
                "instance_availability_zone",
                "instance_availability_zone_id",
                "instance_region",
                "ami_id",
                "subnet_id",
                "error",
            ),
            str,
        ),
        "neuron_hardware_info": {
            "neuron_device_type": str,
            "neuron_device_version": str,
            "neuroncore_version": str,
            "neuron_device_count": int,
            "neuron_device_memory_size": int,
            "neuroncore_per_device_count": int,
            "logical_neuroncore_config": int,
            "error": str,
        },
    }


def shape(value: object) -> object:
    """A report with a type in the place of each value; a share of exactly 0 may be a whole number, as documented."""
    if isinstance(value, dict):
        return {key: float if key in CPU and type(part) is int else shape(part) for key, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else type(value)


Load = Callable[..., Any]
Monitor = Callable[..., Running]


def summed(reports: list[Report], key: str = "completed") -> int:
    return sum(report["execution_stats"]["execution_summary"][key] for report in reports)


# -- what it tells -------------------------------------------------------------------------------------------------


def test_documented_keys(load: Load, monitor: Monitor) -> None:
    """None missing, none extra, of the documented types."""
    process = load("2", "1x2", NEURON_RT_NUM_CORES="4", NEURON_PROCESS_TAG="blue")
    process.do("burn 0 3 0.002 0")
    process.do("python time.sleep(2 * neuron_rt.runtime._PUBLISH_EVERY)")
    report = next(iter(monitor()))
    cpus = sorted(psutil.Process().cpu_affinity() or [])
    assert shape(report) == report_of([0, 1, 2, 3], [[0, 1], [2], [3]], [str(cpu) for cpu in cpus], 4)
    (runtime,) = report["neuron_runtime_data"]
    assert (runtime["pid"], runtime["neuron_runtime_tag"], runtime["address"]) == (process.pid, "blue", "")
    assert [len(usage["usage_data"]) for usage in [report["system_data"]["vcpu_usage"]]] == [len(cpus)]
    assert not runtime["error"]
    assert {group["error"] for group in [*runtime["report"].values(), *report["system_data"].values()]} == {""}


def test_nothing_runs(monitor: Monitor, tmp_path: Path) -> None:
    """No processes, no state directory, and none afterwards."""
    report = next(iter(monitor()))
    assert report["neuron_runtime_data"] == []
    assert list(report) == ["neuron_runtime_data", "system_data", "instance_info", "neuron_hardware_info"]
    assert not (tmp_path / "state").exists()


def test_counts_are_those_of_the_process(load: Load, monitor: Monitor) -> None:
    """Calls, errors and time-outs in all reports add up to what the process counted, whenever the monitor came."""
    process = load("1", "2x4", NEURON_RT_NUM_CORES="6", NEURON_RT_EXEC_TIMEOUT="0.2")
    assert process.do("burn 0 5 0.001 0")["ended"] == [5, 0, 0]
    running = monitor("50ms")
    reports = running.until(lambda so_far: summed(so_far) >= 5, process.pid)
    assert process.do("fault 1 7 0 0")["ended"] == [0, 7, 0]
    assert process.do("sleep 0 1 0.4 0.4")["ended"] == [0, 0, 1]  # it ends after its caller has left
    assert process.do("burn 1 30 0.001 0.005")["ended"] == [30, 0, 0]
    reports += running.until(lambda so_far: summed(reports + so_far) >= 36, process.pid)
    reports += running.until(lambda so_far: len(so_far) >= 3, process.pid)
    assert summed(reports) == 5 + 1 + 30
    assert summed(reports, "completed_with_err") == 7
    assert summed(reports, "timed_out") == 1
    assert sum(report["execution_stats"]["error_summary"]["generic"] for report in reports) == 7
    last = reports[-1]["execution_stats"]
    assert not any(last["execution_summary"].values())
    assert last["latency_stats"] == {"total_latency": None, "device_latency": None}  # as documented
    running.stop()


def change_of(calls: int, errors: int) -> ProcessChange:
    replica = Replica(0, (0,), False, calls, errors, 0, 0, 0, 0, 0, 0, (0,) * 48, (0,) * 48, 0.0)
    owner = Owner("0" * 15, 1, "", "", (0,), {})
    model = ModelChange(1, "m", "", "", "", 1, 0, (replica,))
    return ProcessChange(owner, 1.0, {}, 0.0, 0.0, 0, (model,))


def test_an_error_is_counted_before_its_call() -> None:
    """A look between the two must not make a completed call of it in the next report."""
    owed, completed = 0, []
    for change in (change_of(3, 0), change_of(0, 2), change_of(1, 0), change_of(4, 1)):
        data, owed = _groups.execution_stats(change, owed)
        completed.append(data["execution_summary"]["completed"])
    assert completed == [3, 0, 0, 2]
    assert sum(completed) == 8 - 3


def test_latency(load: Load, monitor: Monitor) -> None:
    """Percentiles are within a bucket of what a call took at least, its CPU time, and at most, its caller's wait."""
    process = load("1", NEURON_RT_NUM_CORES="1")
    wall = sorted(process.do("burn 0 20 0.004 0")["wall"] + process.do("burn 0 20 0.04 0")["wall"])
    (report,) = monitor().until(len, process.pid)
    latency = report["execution_stats"]["latency_stats"]["device_latency"]
    assert list(latency) == list(LATENCY)
    assert list(latency.values()) == sorted(latency.values())
    for percent, least, most in ((0, 0.004, 0), (25, 0.004, 10), (75, 0.04, 30), (99, 0.04, 39), (100, 0.04, 39)):
        assert least / 1.5 <= latency[f"p{percent}"] <= wall[most] * 1.5
    assert report["execution_stats"]["latency_stats"]["total_latency"] == latency  # nobody waited


def test_total_latency_has_the_wait_in_it(load: Load, monitor: Monitor) -> None:
    process = load("1", "1", NEURON_RT_NUM_CORES="1")
    code = (
        "import threading; went = threading.Event(); "
        "t = threading.Thread(target=models[0].run, args=(lambda: (went.set(), time.sleep(1)),)); "
        "t.start(); went.wait(); models[1].run(int); t.join()"
    )
    process.do(f"python {code}")
    (report,) = monitor().until(len, process.pid)
    latency = report["execution_stats"]["latency_stats"]
    assert latency["total_latency"]["p0"] > latency["device_latency"]["p0"]
    assert latency["total_latency"]["p100"] >= latency["device_latency"]["p100"] >= 1 / 1.5


def test_utilisation_is_cpu_time(load: Load, monitor: Monitor) -> None:
    """Within 3 points of the CPU time of the one thread that runs on the NC.

    Where other work has the CPU, the thread holds its NC and waits: the kernel says for how long. An NC has one CPU
    here, so that the calling thread is the one that computes.
    """
    process = load("1", "1", NEURON_RT_NUM_CORES="2", NEURON_ADAPTERS_INSTANCE="1024")
    running = monitor("100ms")
    process.tell("burn 0 30 0.02 0.01")
    reports = running.until(lambda so_far: summed(so_far) >= 30, process.pid)
    own = process.answer()
    span = sum(report["neuroncore_counters"]["period"] for report in reports)
    share = {
        nc: sum(
            report["neuroncore_counters"]["neuroncores_in_use"][nc]["neuroncore_utilization"]
            * report["neuroncore_counters"]["period"]
            for report in reports
        ) / span
        for nc in ("0", "1")
    }  # fmt: skip
    assert share["0"] == pytest.approx(100 * (sum(own["cpu"]) + sum(own["waited"])) / span, abs=3)
    assert share["0"] == pytest.approx(100 * sum(own["wall"]) / span, abs=3)
    assert share["0"] > 20
    assert share["1"] == 0


def test_vcpu_usage_of_a_process(load: Load, monitor: Monitor) -> None:
    """In percent of all CPUs. The kernel counts CPU time in ticks of 10 ms."""
    process = load("1", NEURON_RT_NUM_CORES="1")
    before = psutil.Process(process.pid).cpu_times()
    used = sum(process.do("burn 0 20 0.02 0")["cpu"])
    assert used >= 0.4
    (report,) = monitor().until(len, process.pid)
    usage = report["neuron_runtime_vcpu_usage"]
    cpus = len(psutil.Process().cpu_affinity() or [])
    told = sum(usage["vcpu_usage"].values()) / 100 * cpus * usage["period"]
    assert told == pytest.approx(before.user + before.system + used, abs=0.1)


def test_memory(load: Load, monitor: Monitor) -> None:
    """Weights are held once and told in parts that add up; the host's memory is what the kernel says."""
    process = load("2", "2x4", NEURON_RT_NUM_CORES="8", NEURON_ADAPTERS_INSTANCE="inf1.6xlarge")
    process.do("python time.sleep(2 * neuron_rt.runtime._PUBLISH_EVERY)")
    (report,) = monitor().until(len, process.pid)
    used = report["memory_used"]["neuron_runtime_used_bytes"]
    assert used["host"] == pytest.approx(psutil.Process(process.pid).memory_info().rss, rel=0.05)
    assert used["usage_breakdown"]["host"]["application_memory"] == used["host"]
    assert used["neuron_device"] == 1_000_003 + 2 * 1_000_003
    by_nc = {nc: memory["constants"] for nc, memory in used["usage_breakdown"]["neuroncore_memory_usage"].items()}
    assert list(by_nc) == [str(nc) for nc in range(8)]
    assert sum(by_nc.values()) == used["neuron_device"]
    assert by_nc["0"] == 500_002
    models = report["memory_used"]["loaded_models"]
    placed = [[subgraph["neuroncore_index"] for subgraph in model["subgraphs"].values()] for model in models]
    assert placed == [[0, 1], [2, 3], [4, 5]]
    assert [[subgraph["neuron_device_index"] for subgraph in model["subgraphs"].values()] for model in models] == [
        [0, 0],
        [0, 0],
        [1, 1],
    ]
    assert [model["name"] for model in models] == ["m0", "m1", "m1"]
    assert len({model["model_id"] for model in models}) == 3
    assert models[0]["uuid"] != models[1]["uuid"] == models[2]["uuid"]
    assert sum(
        subgraph["memory_used_bytes"]["neuron_device"] for model in models for subgraph in model["subgraphs"].values()
    ) == used["neuron_device"]  # fmt: skip
    assert [model["is_running"] for model in models] == [False] * 3


def test_is_running(load: Load, monitor: Monitor) -> None:
    process = load("1", "1", NEURON_RT_NUM_CORES="2")
    process.tell("sleep 1 1 3600 0")
    running = monitor("20ms")
    report = running.until(
        lambda so_far: (
            bool(so_far) and any(model["is_running"] for model in so_far[-1]["memory_used"]["loaded_models"])
        ),
        process.pid,
    )[-1]
    assert [model["is_running"] for model in report["memory_used"]["loaded_models"]] == [False, True]
    assert report["execution_stats"]["execution_summary"]["completed"] == 0
    report = running.until(lambda so_far: len(so_far) == 2, process.pid)[-1]
    assert report["neuroncore_counters"]["neuroncores_in_use"]["1"]["neuroncore_utilization"] == pytest.approx(
        100, abs=3
    )


def test_torch(load: Load, monitor: Monitor) -> None:
    """A process of the PyTorch adapter: models where they are, and each call of theirs."""
    process = load(script="load_torch.py", NEURON_RT_NUM_CORES="4", NEURON_PROCESS_TAG="torch")
    running = monitor("50ms")
    assert process.do("31") == [21, 10]
    reports = running.until(lambda so_far: summed(so_far) >= 31, process.pid)
    process.do("5")
    reports += running.until(lambda so_far: summed(reports + so_far) >= 36, process.pid)
    assert summed(reports) == 36
    models = reports[-1]["memory_used"]["loaded_models"]
    placed = [[subgraph["neuroncore_index"] for subgraph in model["subgraphs"].values()] for model in models]
    assert placed == [[0, 1], [2, 3]]
    assert all("net.pt" in model["name"] or model["name"] for model in models)
    busy = [
        sum(report["neuroncore_counters"]["neuroncores_in_use"][nc]["neuroncore_utilization"] for report in reports)
        for nc in "0123"
    ]
    assert busy[0] == busy[1] > 0
    assert busy[2] == busy[3] > 0


# -- which, and when -----------------------------------------------------------------------------------------------


def test_timetable() -> None:
    """Groups whose multiples meet are told together, and what was missed is not made up for."""
    table = Timetable({(0, "a"): 0.1, (0, "b"): 0.3, (-1, "c"): 60.0}, 1000.0)
    everything = {(0, "a"), (0, "b"), (-1, "c")}
    assert table.due(1000.0) == everything
    assert table.due(1000.0) == set()
    assert table.next() == pytest.approx(1000.1)
    for step in range(1, 600):
        assert table.due(1000.0 + step * 0.1) == ({(0, "a"), (0, "b")} if step % 3 == 0 else {(0, "a")}), step
    assert table.due(1000.0 + 60.0) == everything
    assert table.due(2000.05) == everything  # long asleep
    assert table.due(2000.05) == set()
    assert table.next() == pytest.approx(2000.1)
    assert table.due(2000.05 - 0.1) == set()


def test_each_group_has_its_period(load: Load, monitor: Monitor) -> None:
    """A group that is not due stands there as it was; one of a new process is told at once."""
    config = {
        "neuron_runtimes": [
            {
                "period": "1h",
                "metrics": [{"type": "neuroncore_counters", "period": "40ms"}, {"type": "execution_stats"}],
            }
        ],
        "system_metrics": [{"type": "memory_info", "period": "30m"}],
    }
    first = load("1", NEURON_RT_NUM_CORES="1")
    first.do("burn 0 2 0.001 0")
    running = monitor(config)
    reports = iter(running)
    seen = [next(reports) for _ in range(8)]
    second = load("1", NEURON_RT_NUM_CORES="1")
    second.do("burn 0 3 0.001 0")
    for report in reports:
        seen.append(report)
        if len(report["neuron_runtime_data"]) == 2 and len(seen) > 12:
            break
    by_pid: dict[int, list[Report]] = {}
    for report in seen:
        assert list(report["system_data"]) == ["memory_info"]
        for runtime in report["neuron_runtime_data"]:
            assert list(runtime["report"]) == ["neuroncore_counters", "execution_stats"]
            by_pid.setdefault(runtime["pid"], []).append(runtime["report"])
    assert list(by_pid) == [first.pid, second.pid]
    own = by_pid[first.pid]
    assert len({json.dumps(groups["neuroncore_counters"]) for groups in own}) == len(own)
    assert {json.dumps(groups["execution_stats"]) for groups in own} == {json.dumps(own[0]["execution_stats"])}
    assert own[0]["execution_stats"]["execution_summary"]["completed"] == 2
    assert len({json.dumps(report["system_data"]["memory_info"]) for report in seen}) == 1
    running.stop()


def test_tag_filter(load: Load, monitor: Monitor) -> None:
    """The first entry that matches decides; a process without a tag has its number for one."""
    blue = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="blue-1")
    green = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="green")
    plain = load("1", NEURON_RT_NUM_CORES="1")
    load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="red")
    config = {
        "neuron_runtimes": [
            {"tag_filter": "^blue", "metrics": [{"type": "memory_used"}]},
            {"tag_filter": f"^({plain.pid}|blue-1|green)$", "metrics": [{"type": "execution_stats"}]},
        ]
    }
    report = next(iter(monitor(config)))
    told = {
        runtime["pid"]: (runtime["neuron_runtime_tag"], list(runtime["report"]))
        for runtime in report["neuron_runtime_data"]
    }
    assert told == {
        blue.pid: ("blue-1", ["memory_used"]),
        green.pid: ("green", ["execution_stats"]),
        plain.pid: (str(plain.pid), ["execution_stats"]),
    }
    assert report["system_data"] == {}


def test_processes_come_and_go(load: Load, monitor: Monitor) -> None:
    """One that was killed is gone from the next report, and others are not disturbed."""
    running = monitor("30ms")
    reports = running.runtimes()
    assert next(reports) == {}
    first = load("1", NEURON_RT_NUM_CORES="1")
    while first.pid not in next(reports):
        pass
    second = load("1", NEURON_RT_NUM_CORES="1")
    while {first.pid, second.pid} != set(next(reports)):
        pass
    os.kill(first.pid, signal.SIGKILL)
    while {second.pid} != set(next(reports)):
        pass
    second.process.communicate("quit\n", timeout=PATIENCE)
    assert second.process.returncode == 0
    while next(reports):
        pass
    running.stop()


def test_several_at_once(load: Load, monitor: Monitor) -> None:
    process = load("1", NEURON_RT_NUM_CORES="1")
    process.do("burn 0 4 0 0")
    monitors = [monitor() for _ in range(3)]
    assert [summed(running.until(len, process.pid)) for running in monitors] == [4, 4, 4]
    for running in monitors:
        running.stop()
