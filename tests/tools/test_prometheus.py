"""SPEC T1: neuron-monitor-prometheus, as a Prometheus server sees it, and the Grafana dashboard for it."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from neuron_adapters.tools.prometheus import _exposition

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.prometheus"]
MONITOR = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
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
Load = Callable[..., Any]


def parsed(text: str) -> Series:
    """Every series by its name."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def of(series: Series, name: str, label: str, **wanted: str) -> dict[str, float]:
    """The series of a name whose labels have those values, by another label of theirs."""
    return {
        labels[label]: value for labels, value in series.get(name, []) if wanted.items() <= labels.items()
    }  # fmt: skip


class Exporter:
    def __init__(self, words: tuple[str, ...], env: dict[str, str], **more: Any) -> None:
        more.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *words], env=env, stderr=subprocess.PIPE, text=True, **more
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        match = re.fullmatch(r"neuron-monitor-prometheus: serving (http://\S+/metrics)\n", line)
        assert match, line
        self.url = match[1]

    def scrape(self) -> Series:
        with urllib.request.urlopen(self.url, timeout=PATIENCE) as answer:
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
    for one in running:
        one.process.kill()
        with one.process:  # waits, and closes its pipes
            pass


def report_of(*runtimes: dict[str, Any], **system: Any) -> dict[str, Any]:
    return {
        "neuron_runtime_data": list(runtimes),
        "system_data": system,
        "instance_info": {"instance_type": "inf1.xlarge", "instance_region": "nowhere", "error": "none"},
        "neuron_hardware_info": {"neuron_device_count": 1, "neuroncore_per_device_count": 4, "error": ""},
    }


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
        own = {name: found for name, found in series.items() if not name.startswith(("python_", "process_"))}
        assert {name: set().union(*(labels for labels, _ in found)) for name, found in own.items()} == DOCUMENTED
        assert all(set(labels) == DOCUMENTED[name] for name, found in own.items() for labels, _value in found)
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
    assert not [labels for found in series.values() for labels, _value in found if labels.get("runtime_tag") == "first"]
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
    assert all(math.isfinite(value) for found in series.values() for _labels, value in found)
    assert all(value >= 0 for name, found in series.items() if name.endswith("_total") for _labels, value in found)
    assert of(series, "execution_status_total", "status_type", runtime_tag="a").get("completed", 2) >= 2
    assert series["instance_info"][0][0]["instance_type"] == "inf1.xlarge"


@pytest.mark.parametrize(
    "report", [None, [], "x", 5, {}, {"instance_info": 5, "system_data": [], "neuron_runtime_data": {}}]
)
def test_no_report(report: object) -> None:
    assert set(Exposed().after(report)) == {"instance_info"}


# -- how it is called ----------------------------------------------------------------------------------------------


def test_input_that_is_no_report(export: Any) -> None:
    """Is named and left out; what follows counts."""
    exporter = export(stdin=subprocess.PIPE)
    assert exporter.process.stdin is not None
    lines = ["", "{", "[]", "\ufffd" * 3, "[" * 100_000, json.dumps(report_of(memory_info={"memory_total_bytes": 77}))]
    exporter.process.stdin.write("\n".join(lines) + "\n")
    exporter.process.stdin.flush()
    series = exporter.until(lambda series: "system_memory_total_bytes" in series)
    assert [value for _, value in series["system_memory_total_bytes"]] == [77]
    exporter.process.stdin.close()
    code, said = exporter.end()
    assert code == 0
    assert len(said.splitlines()) == 4
    assert all(line.startswith("neuron-monitor-prometheus: a line of the input is no ") for line in said.splitlines())


def test_input_without_a_report(export: Any) -> None:
    """A monitor that could not begin is not silently taken for one that has nothing to tell."""
    code, said = export().end()
    assert (code, len(said.splitlines())) == (1, 1)
    assert (
        "there was no report on standard input. Try neuron-monitor | neuron-monitor-prometheus, or --run-monitor."
        in said
    )


def test_terminal(export: Any) -> None:
    """Where nobody pipes anything in, it runs the monitor itself."""
    ours, theirs = os.openpty()
    try:
        exporter = export(stdin=theirs)
        assert exporter.until(lambda series: "system_vcpu_count" in series)["neuron_hardware_info"]
        exporter.process.send_signal(signal.SIGINT)
        assert exporter.end() == (0, "")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(export: Any, number: int) -> None:
    """While it waits for its input, too, and at once."""
    exporter = export(stdin=subprocess.PIPE)
    exporter.scrape()
    exporter.process.send_signal(number)
    assert exporter.process.wait(PATIENCE) == 0
    exporter = export("--run-monitor")
    exporter.until(lambda series: "system_vcpu_count" in series)
    exporter.process.send_signal(number)
    assert exporter.end() == (0, "")


def test_it_serves_this_machine_alone(export: Any) -> None:
    exporter = export("-m")
    assert exporter.url.startswith("http://127.0.0.1:")
    port = int(exporter.url.split(":")[2].partition("/")[0])
    with socket.socket() as other:
        other.settimeout(PATIENCE)
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))
    open_to_all = export("-m", "--address", "0.0.0.0")
    port = int(open_to_all.url.split(":")[2].partition("/")[0])
    with urllib.request.urlopen(f"http://127.0.0.2:{port}/metrics", timeout=PATIENCE) as answer:
        assert answer.status == 200


def run(env: dict[str, str], *words: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [*COMMAND, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_port_that_is_taken(export: Any, tool_environment: Callable[..., dict[str, str]]) -> None:
    """One clear error; and so for an address that is none of this machine."""
    port = export("-m").url.split(":")[2].partition("/")[0]
    code, lines = run(tool_environment(), "--port", port)
    assert (code, lines) == (
        1,
        [
            f"neuron-monitor-prometheus: cannot serve on 127.0.0.1:{port}: Address already in use. Choose another --port or --address."
        ],
    )
    for address in ("192.0.2.1", "no.such.machine.invalid", "a" * 80):
        code, lines = run(tool_environment(), "--port", "0", "--address", address)
        assert (code, len(lines)) == (1, 1)
        assert lines[0].startswith(f"neuron-monitor-prometheus: cannot serve on {address}:0: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "65536"], "argument -p/--port: '65536' is no port; accepted: 0 to 65535"),
        (["-p", "http"], "'http' is no port"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["--enable-k8s-info"], "--enable-k8s-info: no Kubernetes device plug-in gives out emulated NeuronCores"),
        (["-c", "/no/such/file"], "/no/such/file: cannot be read: No such file or directory. Accepted: a JSON file."),
    ],
)
def test_wrong_arguments(tool_environment: Callable[..., dict[str, str]], words: list[str], said: str) -> None:
    code, lines = run(tool_environment(), *words)
    assert code == 2
    assert lines[-1].startswith("neuron-monitor-prometheus: ")
    assert said in lines[-1]


def test_state_directory_that_cannot_be_used(export: Any) -> None:
    code, said = export("-m", NEURON_ADAPTERS_STATE_DIR="/etc/hostname").end()
    assert code == 1
    assert "is a link or no directory" in said


@pytest.mark.parametrize("missing", ["prometheus_client", "psutil"])
def test_without_its_packages(tool_environment: Callable[..., dict[str, str]], missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from neuron_adapters.tools.prometheus import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], env=tool_environment(), capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "needs prometheus-client and psutil: pip install 'neuron-adapters[tools]'" in line


def test_documented_pipe(tool_environment: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    """``neuron-monitor | neuron-monitor-prometheus.py --port N``, word for word, by the names that are installed."""
    text = (ROOT / "pyproject.toml").read_text()
    places = re.findall(r'^"?(neuron-monitor[a-z.-]*)"? = "([a-z_.]+):main"', text, re.MULTILINE)
    assert [name for name, _module in places] == [
        "neuron-monitor",
        "neuron-monitor-prometheus",
        "neuron-monitor-prometheus.py",
    ]
    for name, module in places:
        (tmp_path / name).write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        (tmp_path / name).chmod(0o755)
    env = tool_environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
    line = "neuron-monitor | neuron-monitor-prometheus.py --port 0"
    process = subprocess.Popen(["sh", "-c", line], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        while "system_vcpu_count" not in parsed(urllib.request.urlopen(url, timeout=PATIENCE).read().decode()):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        assert process.stderr.read() == ""
        process.wait(PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


# -- the dashboard -------------------------------------------------------------------------------------------------

DASHBOARD = ROOT / "docs" / "grafana" / "neuron.json"
#: Labels that a Prometheus server adds to what it scrapes.
ADDED = {"instance", "job"}
FUNCTIONS = {"sum", "avg", "max", "min", "count", "rate", "vector", "label_values", "by", "or", "and", "without"}


def expressions(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def names_in(expression: str) -> tuple[set[str], list[tuple[str, set[str]]], set[str]]:
    """Metrics of a PromQL expression, each selector's metric and labels, and the labels that it groups by."""
    selectors = []
    for metric, body in re.findall(r"(\w+)\{([^}]*)\}", expression):
        selectors.append((metric, set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', body))))
    grouped = {word.strip() for group in re.findall(r"\bby\s*\(([^)]*)\)", expression) for word in group.split(",")}
    rest = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby\s*\([^)]*\)", " ", expression)
    label = re.fullmatch(r"label_values\((.*), (\w+)\)", rest)
    if label:
        grouped.add(label[2])
        rest = label[1]
    metrics = set(re.findall(r"[a-z_]\w*", rest)) - FUNCTIONS
    return metrics, selectors, grouped


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text())


def test_dashboard_names_what_is_exposed(board: dict[str, Any], load: Load, export: Any) -> None:
    """Each expression, against a scrape of a process that has run and failed."""
    process = load("1", "2", NEURON_RT_NUM_CORES="3", NEURON_PROCESS_TAG="blue")
    process.do("burn 0 3 0.001 0")
    process.do("fault 1 3 0 0")
    scrape = export("-m").until(lambda series: "execution_latency_seconds" in series)
    exposed = {name: set(found[0][0]) for name, found in scrape.items()}
    used = set()
    for expression in expressions(board):
        metrics, selectors, grouped = names_in(expression)
        assert metrics, expression
        assert metrics <= set(exposed), expression
        for metric, labels in selectors:
            assert labels <= exposed[metric] | ADDED, expression
            for label, wanted in re.findall(r'(\w+)=~?"([\w|]+)"', expression):
                told = {one[0][label] for name in metrics for one in scrape[name] if label in one[0]}
                assert set(wanted.split("|")) <= told, expression
        assert all(grouped <= exposed[metric] | ADDED for metric in metrics), expression
        used |= metrics
    expected = {name for name in DOCUMENTED if not name.endswith("_created")} - {
        "instance_info",
        "hardware_ecc_events_total",
        "system_swap_total_bytes",
        "system_vcpu_count",
        *(
            f"neuroncore_memory_usage_{kind}"
            for kind in ("model_code", "model_shared_scratchpad", "runtime_memory", "tensors")
        ),
    }
    assert used >= expected


def test_dashboard_can_be_imported(board: dict[str, Any]) -> None:
    """Nothing in it belongs to one Grafana: the data source is a variable, and panels have numbers and places of their
    own."""
    assert board["schemaVersion"] >= 39
    assert board.get("id") is None
    assert board["title"]
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"] == source
            assert panel["title"]
            assert panel["description"]
            assert [target["datasource"] for target in panel["targets"]] == [source] * len(panel["targets"])
            refs = [target["refId"] for target in panel["targets"]]
            assert len(set(refs)) == len(refs)
    text = DASHBOARD.read_text()
    assert set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__all"} == set(variables)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert grid["x"] + grid["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_documented() -> None:
    text = (ROOT / "docs" / "tools.md").read_text()
    section = text.partition("\n## neuron-monitor-prometheus\n")[2].partition("\n## ")[0]
    for name in DOCUMENTED:
        if not name.endswith("_created"):
            assert f"`{name}`" in section, name
    for word in (
        "-p N`, `--port N",
        "-a ADDRESS`, `--address ADDRESS",
        "-m`, `--run-monitor",
        "-c FILE`, `--config-file FILE",
    ):
        assert f"`{word}`" in section, word
    assert "neuron-monitor | neuron-monitor-prometheus --port 8000" in section
    assert "grafana/neuron.json" in section
