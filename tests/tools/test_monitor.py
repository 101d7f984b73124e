"""SPEC T1: neuron-monitor, as its readers see it, on processes that really run."""

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

import psutil
import pytest

from neuron_adapters.tools.monitor import _groups, _system
from neuron_adapters.tools.monitor._config import RUNTIME_GROUPS, SYSTEM_GROUPS, MonitorConfig
from neuron_adapters.tools.monitor._reports import Timetable
from neuron_adapters.tools.shared.devices import devices_of, machine_memory
from neuron_adapters.tools.shared.samples import ModelChange, ProcessChange, Replica
from neuron_rt import NeuronConfigError, Owner
from neuron_rt.instance import INSTANCE_TYPES, Cpu, Instance
from neuron_rt.telemetry import H_VERSION, VERSION, WORD

ROOT = Path(__file__).resolve().parents[2]
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
        return {key: float if key in CPU and type(one) is int else shape(one) for key, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value)


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
            yield {one["pid"]: one["report"] for one in report["neuron_runtime_data"]}

    def until(self, enough: Callable[[list[Report]], bool], pid: int) -> list[Report]:
        """Reports on a process, until there are enough."""
        found: list[Report] = []
        for report in self.runtimes():
            if pid in report:
                found.append(report[pid])
            if enough(found):
                break
        return found

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
    for one in running:
        one.process.kill()
        with one.process:  # waits, and closes its pipes
            pass


@pytest.fixture
def run_monitor(tool_environment: Callable[..., dict[str, str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Where it ends by itself."""

    def run(*words: str, code: int, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words], env=tool_environment(**variables), capture_output=True, timeout=PATIENCE, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


Load = Callable[..., Any]
Monitor = Callable[..., Running]


def summed(reports: list[Report], key: str = "completed") -> int:
    return sum(one["execution_stats"]["execution_summary"][key] for one in reports)


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
    assert [len(one["usage_data"]) for one in [report["system_data"]["vcpu_usage"]]] == [len(cpus)]
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
    reports = running.until(lambda found: summed(found) >= 5, process.pid)
    assert process.do("fault 1 7 0 0")["ended"] == [0, 7, 0]
    assert process.do("sleep 0 1 0.4 0.4")["ended"] == [0, 0, 1]  # it ends after its caller has left
    assert process.do("burn 1 30 0.001 0.005")["ended"] == [30, 0, 0]
    reports += running.until(lambda found: summed(reports + found) >= 36, process.pid)
    reports += running.until(lambda found: len(found) >= 3, process.pid)
    assert summed(reports) == 5 + 1 + 30
    assert summed(reports, "completed_with_err") == 7
    assert summed(reports, "timed_out") == 1
    assert sum(one["execution_stats"]["error_summary"]["generic"] for one in reports) == 7
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
    reports = running.until(lambda found: summed(found) >= 30, process.pid)
    own = process.answer()
    span = sum(one["neuroncore_counters"]["period"] for one in reports)
    share = {
        nc: sum(
            one["neuroncore_counters"]["neuroncores_in_use"][nc]["neuroncore_utilization"]
            * one["neuroncore_counters"]["period"]
            for one in reports
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
    by_nc = {nc: one["constants"] for nc, one in used["usage_breakdown"]["neuroncore_memory_usage"].items()}
    assert list(by_nc) == [str(nc) for nc in range(8)]
    assert sum(by_nc.values()) == used["neuron_device"]
    assert by_nc["0"] == 500_002
    models = report["memory_used"]["loaded_models"]
    placed = [[one["neuroncore_index"] for one in model["subgraphs"].values()] for model in models]
    assert placed == [[0, 1], [2, 3], [4, 5]]
    assert [[one["neuron_device_index"] for one in model["subgraphs"].values()] for model in models] == [
        [0, 0],
        [0, 0],
        [1, 1],
    ]
    assert [model["name"] for model in models] == ["m0", "m1", "m1"]
    assert len({model["model_id"] for model in models}) == 3
    assert models[0]["uuid"] != models[1]["uuid"] == models[2]["uuid"]
    assert sum(
        one["memory_used_bytes"]["neuron_device"] for model in models for one in model["subgraphs"].values()
    ) == used["neuron_device"]  # fmt: skip
    assert [model["is_running"] for model in models] == [False] * 3


def test_is_running(load: Load, monitor: Monitor) -> None:
    process = load("1", "1", NEURON_RT_NUM_CORES="2")
    process.tell("sleep 1 1 3600 0")
    running = monitor("20ms")
    report = running.until(
        lambda found: bool(found) and any(model["is_running"] for model in found[-1]["memory_used"]["loaded_models"]),
        process.pid,
    )[-1]
    assert [model["is_running"] for model in report["memory_used"]["loaded_models"]] == [False, True]
    assert report["execution_stats"]["execution_summary"]["completed"] == 0
    report = running.until(lambda found: len(found) == 2, process.pid)[-1]
    assert report["neuroncore_counters"]["neuroncores_in_use"]["1"]["neuroncore_utilization"] == pytest.approx(
        100, abs=3
    )


def test_torch(load: Load, monitor: Monitor) -> None:
    """A process of the PyTorch adapter: models where they are, and each call of theirs."""
    process = load(script="load_torch.py", NEURON_RT_NUM_CORES="4", NEURON_PROCESS_TAG="torch")
    running = monitor("50ms")
    assert process.do("31") == [21, 10]
    reports = running.until(lambda found: summed(found) >= 31, process.pid)
    process.do("5")
    reports += running.until(lambda found: summed(reports + found) >= 36, process.pid)
    assert summed(reports) == 36
    models = reports[-1]["memory_used"]["loaded_models"]
    placed = [[one["neuroncore_index"] for one in model["subgraphs"].values()] for model in models]
    assert placed == [[0, 1], [2, 3]]
    assert all("net.pt" in model["name"] or model["name"] for model in models)
    busy = [
        sum(one["neuroncore_counters"]["neuroncores_in_use"][nc]["neuroncore_utilization"] for one in reports)
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
    found = [next(reports) for _ in range(8)]
    second = load("1", NEURON_RT_NUM_CORES="1")
    second.do("burn 0 3 0.001 0")
    for report in reports:
        found.append(report)
        if len(report["neuron_runtime_data"]) == 2 and len(found) > 12:
            break
    by_pid: dict[int, list[Report]] = {}
    for report in found:
        assert list(report["system_data"]) == ["memory_info"]
        for one in report["neuron_runtime_data"]:
            assert list(one["report"]) == ["neuroncore_counters", "execution_stats"]
            by_pid.setdefault(one["pid"], []).append(one["report"])
    assert list(by_pid) == [first.pid, second.pid]
    own = by_pid[first.pid]
    assert len({json.dumps(one["neuroncore_counters"]) for one in own}) == len(own)
    assert {json.dumps(one["execution_stats"]) for one in own} == {json.dumps(own[0]["execution_stats"])}
    assert own[0]["execution_stats"]["execution_summary"]["completed"] == 2
    assert len({json.dumps(report["system_data"]["memory_info"]) for report in found}) == 1
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
    told = {one["pid"]: (one["neuron_runtime_tag"], list(one["report"])) for one in report["neuron_runtime_data"]}
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
    several = [monitor() for _ in range(3)]
    assert [summed(one.until(len, process.pid)) for one in several] == [4, 4, 4]
    for one in several:
        one.stop()


# -- what it reads is not to be trusted ----------------------------------------------------------------------------


def board_of(state: Path) -> Path:
    (board,) = state.glob("*.board")
    return board


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
    for file in (tmp_path / "state").glob("*.json"):
        record = json.loads(file.read_text())
        if record["pid"] == process.pid:
            (tmp_path / "state" / f".{file.name}").write_text(json.dumps({**record, "version": record["version"] + 1}))
            os.replace(tmp_path / "state" / f".{file.name}", file)
    assert set(next(monitor().runtimes())) == {honest.pid}


def test_hostile_record(load: Load, monitor: Monitor, tmp_path: Path) -> None:
    """Nothing in it ends the monitor, or leaves the line that it is told in."""
    process = load("1", NEURON_RT_NUM_CORES="1")
    honest = load("1", NEURON_RT_NUM_CORES="1")
    for file in (tmp_path / "state").glob("*.json"):
        record = json.loads(file.read_text())
        if record["pid"] == process.pid:
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
            (tmp_path / "state" / f".{file.name}").write_text(json.dumps(lie))
            os.replace(tmp_path / "state" / f".{file.name}", file)
    running = monitor("20ms")
    for _turn in range(3):
        report = next(iter(running))
        told = {one["pid"]: one for one in report["neuron_runtime_data"]}
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
        for report in running.until(lambda found: len(found) == 15, process.pid):
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
        running.until(lambda found, turn=turn: len(found) == 2 * turn + 1, process.pid)
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


# -- the machine ---------------------------------------------------------------------------------------------------


STAT = """\
cpu  60 0 40 900 0 0 0 0 0 0
cpu0 {0} 0 20 450 0 0 0 0 0 0
cpu3 30 2 20 450 5 1 4 9 0 0
intr 1 2 3
ctxt {1}
"""


def test_vcpu_usage_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(STAT.format(30, 1000))
    (tmp_path / "two").write_text(STAT.format(80, 1234).replace("cpu3 30 2 20 450", "cpu3 60 4 30 500"))
    before = _system.CpuTimes.read(path=str(tmp_path / "one"))
    after = _system.CpuTimes.read(path=str(tmp_path / "two"))
    usage = _system.vcpu_usage(before, after)
    assert usage["context_switch_count"] == 234
    assert usage["usage_data"]["0"]["user"] == 100.0
    assert usage["usage_data"]["3"] == {
        "user": 32.61, "nice": 2.17, "system": 10.87, "idle": 54.35, "io_wait": 0, "irq": 0, "soft_irq": 0
    }  # fmt: skip
    assert usage["average_usage"]["user"] == round(100 * 80 / 142, 2)
    still = _system.vcpu_usage(after, after)
    assert set(still["average_usage"].values()) == {0}
    only = _system.CpuTimes.read({3, 7}, str(tmp_path / "one"))
    assert set(only.cpus) == {3}
    assert set(_system.CpuTimes.read({7}, str(tmp_path / "one")).cpus) == {0, 3}


def test_machine(monitor: Monitor) -> None:
    """Two reports apart: what psutil says of the machine, and shares that add up."""
    reports = iter(monitor("200ms"))
    for report in (next(reports), next(reports)):
        data = report["system_data"]
        assert data["memory_info"]["memory_total_bytes"] == psutil.virtual_memory().total
        assert data["memory_info"]["swap_total_bytes"] == psutil.swap_memory().total
        assert 0 < data["memory_info"]["memory_used_bytes"] < data["memory_info"]["memory_total_bytes"]
        assert data["vcpu_usage"]["context_switch_count"] > 0
        for usage in (data["vcpu_usage"]["average_usage"], *data["vcpu_usage"]["usage_data"].values()):
            assert 50 < sum(usage.values()) < 100.1  # the rest was stolen
        assert [one["neuron_device_index"] for one in data["neuron_hw_counters"]["neuron_devices"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", [*INSTANCE_TYPES, "host", "6"])
def test_hardware(name: str) -> None:
    instance = Instance.named(name, host_cpus=8)
    devices = devices_of(instance, [Cpu(index) for index in range(8)], 64 << 30)
    info = _groups.neuron_hardware_info(instance, devices)
    assert info["neuron_device_count"] == len(devices)
    assert info["neuron_device_memory_size"] == (64 << 30) // len(devices)
    assert info["neuroncore_per_device_count"] == instance.ncs_per_device
    assert info["logical_neuroncore_config"] == (2 if name.startswith("trn2") else 1)
    documented = {"inf1": "inferentia", "inf2": "inferentia2", "trn1": "trainium", "trn2": "trainium2"}
    assert info["neuron_device_type"] == documented.get(name[:4], "emulated")
    assert _groups.instance_info(instance)["instance_type"] == name


def test_instance_of_the_processes(load: Load, monitor: Monitor) -> None:
    """As neuron-ls has it: the one that the running processes agree on."""
    running = monitor("20ms", NEURON_ADAPTERS_INSTANCE="inf1.xlarge")
    reports = iter(running)
    assert next(reports)["instance_info"]["instance_type"] == "inf1.xlarge"
    load("1", NEURON_ADAPTERS_INSTANCE="trn1.2xlarge")
    for report in reports:
        if report["neuron_runtime_data"]:
            break
    assert report["instance_info"]["instance_type"] == "trn1.2xlarge"
    assert report["neuron_hardware_info"]["neuron_device_type"] == "trainium"
    assert report["neuron_hardware_info"]["neuron_device_memory_size"] == machine_memory()


# -- how it is called ----------------------------------------------------------------------------------------------


def test_documented_configuration(tmp_path: Path) -> None:
    """The example of AWS's guide, and what holds without a file."""
    file = tmp_path / "monitor.conf"
    file.write_text(json.dumps(DOCUMENTED))
    config = MonitorConfig.read(str(file))
    (selection,) = config.runtimes
    assert {group.kind: group.period for group in selection.groups} == dict.fromkeys(RUNTIME_GROUPS, 1.0)
    assert {group.kind: group.period for group in config.system} == {
        "neuron_hw_counters": 2.0, "vcpu_usage": 1.0, "memory_info": 1.0
    }  # fmt: skip
    default = MonitorConfig.default()
    assert {group.period for group in (*default.runtimes[0].groups, *default.system)} == {5.0}
    assert tuple(group.kind for group in default.runtimes[0].groups) == RUNTIME_GROUPS
    assert tuple(group.kind for group in default.system) == SYSTEM_GROUPS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("500ms", 0.5), ("2m", 120), ("1m30s", 90), ("1.5s", 1.5), ("1h", 3600), ("10ms", 0.01)],
)
def test_periods(tmp_path: Path, text: str, seconds: float) -> None:
    file = tmp_path / "monitor.conf"
    file.write_text(json.dumps({"period": text, "system_metrics": [{"type": "memory_info"}]}))
    assert MonitorConfig.read(str(file)).system[0].period == pytest.approx(seconds)


ONE = {"system_metrics": [{"type": "memory_info"}]}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is no JSON: "),
        ("[]", "the file=[]: is no object. Accepted: an object with the keys period, neuron_runtimes, system_metrics."),
        ("{}", "the file={}: names no metric group. Accepted: at least one in "),
        ("\udcff", "is no JSON: "),
        ("[" * 100_000, "is no JSON: "),
        (" " * 1_100_000, "is larger than 1 MiB. Accepted: a JSON file."),
        ({**ONE, "perod": "1s"}, "perod='1s': is no key that is known. Accepted: period, neuron_runtimes, system_metrics."),
        ({**ONE, "k8s_info": {}}, "k8s_info={}: is no key that is known. "),
        *(
            ({**ONE, "period": wrong}, f"period={wrong!r}: is no period. Accepted: a text such as '500ms', '1s', '2m'")
            for wrong in ("5", "0s", "9ms", "-1s", "1 s", "1sec", "25h", "", 5, None, "s", "1s2", "9" * 40 + "s", "\u0661s")
        ),
        ({"system_metrics": [{"type": "memory_used"}]}, "system_metrics[0].type='memory_used': is no metric group that is told here. Accepted: neuron_hw_counters, vcpu_usage, memory_info."),
        ({"system_metrics": [{}]}, "system_metrics[0].type=None: is no metric group"),
        ({"system_metrics": {"type": "memory_info"}}, "system_metrics={'type': 'memory_info'}: is no array. Accepted: an array of objects."),
        ({"system_metrics": ["memory_info"]}, "system_metrics[0]='memory_info': is no object. Accepted: an object with the keys type, period."),
        ({"system_metrics": [{"type": "memory_info"}, {"type": "memory_info"}]}, "system_metrics[1].type='memory_info': is there twice. Accepted: each metric group once."),
        ({"neuron_runtimes": [{"metrics": [{"type": "memory_used", "period": "x"}]}]}, "neuron_runtimes[0].metrics[0].period='x': is no period."),
        ({"neuron_runtimes": [{"metrics": [{"type": "memory_used", "unit": 1}]}]}, "neuron_runtimes[0].metrics[0].unit=1: is no key that is known."),
        ({"neuron_runtimes": [{"metrics": []}]}, "names no metric group"),
        ({"neuron_runtimes": [{"tag_filter": "(", "metrics": []}]}, "neuron_runtimes[0].tag_filter='(': is no regular expression (missing ), unterminated subpattern at position 0). Accepted: a regular expression, '.*' for all."),
        ({"neuron_runtimes": [{"tag_filter": 1, "metrics": []}]}, "neuron_runtimes[0].tag_filter=1: is no regular expression ("),
        ({"neuron_runtimes": "all"}, "neuron_runtimes='all': is no array."),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, str) else "",
)  # fmt: skip
def test_wrong_configuration(tmp_path: Path, config: object, said: str) -> None:
    """One error that names the file, the key, the value and what is accepted."""
    file = tmp_path / "monitor.conf"
    file.write_text(config if isinstance(config, str) else json.dumps(config), errors="surrogateescape")
    with pytest.raises(NeuronConfigError) as caught:
        MonitorConfig.read(str(file))
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert said in text
    assert len(text) < 500


def test_wrong_configuration_ends_the_command(run_monitor: Any, tmp_path: Path) -> None:
    file = tmp_path / "monitor.conf"
    file.write_text('{"period": "often", "system_metrics": [{"type": "memory_info"}]}')
    for path, said in (
        (file, "period='often': is no period. "),
        (tmp_path, "cannot be read: "),
        ("none", "cannot be read: "),
    ):
        done = run_monitor("--config-file", str(path), code=2)
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"neuron-monitor: {path}: {said}")
        assert done.stdout == ""


@pytest.mark.parametrize("words", [["--nope"], ["extra"], ["-v", "5"], ["-v"], ["--verbose", "x"], ["-c"]])
def test_wrong_arguments(run_monitor: Any, words: list[str]) -> None:
    done = run_monitor(*words, code=2)
    assert done.stderr.splitlines()[-1].startswith("neuron-monitor: error: ")
    assert done.stdout == ""


def test_wrong_environment(run_monitor: Any) -> None:
    for name, value, said in (
        ("NEURON_ADAPTERS_INSTANCE", "inf9.huge", "is not an instance"),
        ("NEURON_ADAPTERS_STATE_DIR", "relative", "is not an absolute path"),
        ("NEURON_ADAPTERS_STATE_DIR", "/etc/hostname", "is a link or no directory"),
    ):
        done = run_monitor(code=1, **{name: value})
        (line,) = done.stderr.splitlines()
        assert line.startswith("neuron-monitor: ")
        assert said in line


def test_without_psutil(tool_environment: Callable[..., dict[str, str]]) -> None:
    code = (
        "import sys; sys.modules['psutil'] = None; from neuron_adapters.tools.monitor import main; sys.exit(main([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=tool_environment(), capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("neuron-monitor: needs psutil: pip install 'neuron-adapters[tools]' (")


def test_verbose(load: Load, monitor: Monitor) -> None:
    """Standard error says what happens; standard output stays JSON."""
    process = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="blue")
    running = monitor("20ms", "--verbose", "4")
    running.until(lambda found: len(found) == 2, process.pid)
    running.process.send_signal(signal.SIGINT)
    _output, said = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0
    lines = said.decode().splitlines()
    assert all(line.startswith("neuron-monitor: ") for line in lines)
    assert f"neuron-monitor: process {process.pid} [blue] has come" in lines
    assert any(line.startswith("neuron-monitor: 1 processes told in ") for line in lines)


def test_no_framework_is_imported(tool_environment: Callable[..., dict[str, str]]) -> None:
    code = (
        "import sys; from neuron_adapters.tools.monitor import _reports; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {code}"],
                          env=tool_environment(), capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.split() == ["__main__", "neuron_adapters", "neuron_rt", "psutil"]


def test_documented() -> None:
    """docs/tools.md shows the options, every metric group and the documented configuration."""
    text = (ROOT / "docs" / "tools.md").read_text()
    section = text.partition("\n## neuron-monitor\n")[2].partition("\n## ")[0]
    for word in ("-c FILE`, `--config-file FILE", "-v N`, `--verbose N", *RUNTIME_GROUPS, *SYSTEM_GROUPS):
        assert f"`{word}`" in section, word
    example = section.partition("```json\n")[2].partition("```")[0]
    assert json.loads(example) == DOCUMENTED
    assert 'neuron-monitor = "neuron_adapters.tools.monitor:main"' in (ROOT / "pyproject.toml").read_text()
