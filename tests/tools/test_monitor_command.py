"""SPEC T1: neuron-monitor as a command: the machine, the configuration, the arguments."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from monitor_processes import DOCUMENTED, Running

from neuron_adapters.tools.monitor import _groups, _system
from neuron_adapters.tools.monitor._config import RUNTIME_GROUPS, SYSTEM_GROUPS, MonitorConfig
from neuron_adapters.tools.shared.devices import devices_of, machine_memory
from neuron_rt import NeuronConfigError
from neuron_rt.instance import INSTANCE_TYPES, Cpu, Instance

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.monitor"]
Report = dict[str, Any]


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
        devices = data["neuron_hw_counters"]["neuron_devices"]
        assert [device["neuron_device_index"] for device in devices] == [0, 1, 2, 3]


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


MEMORY = {"system_metrics": [{"type": "memory_info"}]}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is not JSON: "),
        ("[]", "the file=[]: is not an object. Accepted: an object with the keys period, neuron_runtimes, system_metrics."),
        ("{}", "the file={}: names no metric group. Accepted: at least one in "),
        ("\udcff", "is not JSON: "),
        ("[" * 100_000, "is not JSON: "),
        (" " * 1_100_000, "is larger than 1 MB. Accepted: a JSON file."),
        ({**MEMORY, "perod": "1s"}, "perod='1s': is not a known key. Accepted: period, neuron_runtimes, system_metrics."),
        ({**MEMORY, "k8s_info": {}}, "k8s_info={}: is not a known key. "),
        *(
            ({**MEMORY, "period": wrong}, f"period={wrong!r}: is not a period. Accepted: a text such as '500ms', '1s', '2m'")
            for wrong in ("5", "0s", "9ms", "-1s", "1 s", "1sec", "25h", "", 5, None, "s", "1s2", "9" * 40 + "s", "\u0661s")
        ),
        ({"system_metrics": [{"type": "memory_used"}]}, "system_metrics[0].type='memory_used': is not a metric group of this list. Accepted: neuron_hw_counters, vcpu_usage, memory_info."),
        ({"system_metrics": [{}]}, "system_metrics[0].type=None: is not a metric group"),
        ({"system_metrics": {"type": "memory_info"}}, "system_metrics={'type': 'memory_info'}: is not an array. Accepted: an array of objects."),
        ({"system_metrics": ["memory_info"]}, "system_metrics[0]='memory_info': is not an object. Accepted: an object with the keys type, period."),
        ({"system_metrics": [{"type": "memory_info"}, {"type": "memory_info"}]}, "system_metrics[1].type='memory_info': is listed twice. Accepted: each metric group once."),
        ({"neuron_runtimes": [{"metrics": [{"type": "memory_used", "period": "x"}]}]}, "neuron_runtimes[0].metrics[0].period='x': is not a period."),
        ({"neuron_runtimes": [{"metrics": [{"type": "memory_used", "unit": 1}]}]}, "neuron_runtimes[0].metrics[0].unit=1: is not a known key."),
        ({"neuron_runtimes": [{"metrics": []}]}, "names no metric group"),
        ({"neuron_runtimes": [{"tag_filter": "(", "metrics": []}]}, "neuron_runtimes[0].tag_filter='(': is not a regular expression (missing ), unterminated subpattern at position 0). Accepted: a regular expression, '.*' for all."),
        ({"neuron_runtimes": [{"tag_filter": 1, "metrics": []}]}, "neuron_runtimes[0].tag_filter=1: is not a regular expression ("),
        ({"neuron_runtimes": "all"}, "neuron_runtimes='all': is not an array."),
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
        (file, "period='often': is not a period. "),
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
        ("NEURON_ADAPTERS_STATE_DIR", "/etc/hostname", "is a link or not a directory"),
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
    assert (
        line == "neuron-monitor: needs the package psutil, which is not installed: pip install 'neuron-adapters[tools]'"
    )


def test_verbose(load: Load, monitor: Monitor) -> None:
    """Standard error says what happens; standard output stays JSON."""
    process = load("1", NEURON_RT_NUM_CORES="1", NEURON_PROCESS_TAG="blue")
    running = monitor("20ms", "--verbose", "4")
    running.until(lambda so_far: len(so_far) == 2, process.pid)
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
