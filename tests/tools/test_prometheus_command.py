"""SPEC T1: neuron-monitor-prometheus as a command, and the Grafana dashboard for it."""

from __future__ import annotations

import json
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

import pytest
from exporter_processes import DOCUMENTED, parsed, report_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.prometheus"]
INSTANCE = {"instance_name", "instance_id", "instance_type", "availability_zone", "region", "subnet_id"}
TAG = INSTANCE | {"runtime_tag"}
Series = dict[str, list[tuple[dict[str, str], float]]]
Load = Callable[..., Any]


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
    assert all(line.startswith("neuron-monitor-prometheus: a line of the input is not ") for line in said.splitlines())


def test_input_without_a_report(export: Any) -> None:
    """A monitor that could not begin is not silently taken for one that has nothing to tell."""
    code, said = export().end()
    assert (code, len(said.splitlines())) == (1, 1)
    assert "standard input held no report. Try neuron-monitor | neuron-monitor-prometheus, or --run-monitor." in said


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
        (["--port", "65536"], "argument -p/--port: '65536' is not a port from 0 to 65535"),
        (["-p", "http"], "'http' is not a port"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["--enable-k8s-info"], "--enable-k8s-info: Kubernetes has no device plug-in for emulated NeuronCores"),
        (["--cert-file", "x"], "--cert-file needs --key-file: https takes a certificate and its private key"),
        (["--key-file", "x"], "--key-file needs --cert-file: https takes a certificate and its private key"),
        (["-c", "/no/such/file"], "/no/such/file: cannot be read: No such file or directory. Accepted: a JSON file."),
    ],
)
def test_wrong_arguments(tool_environment: Callable[..., dict[str, str]], words: list[str], said: str) -> None:
    code, lines = run(tool_environment(), *words)
    assert code == 2
    assert lines[-1].startswith("neuron-monitor-prometheus: ")
    assert said in lines[-1]


def test_state_directory_that_cannot_be_used(tool_environment: Callable[..., dict[str, str]]) -> None:
    """Nothing is served then."""
    code, (line,) = run(tool_environment(NEURON_ADAPTERS_STATE_DIR="/etc/hostname"), "-m", "--port", "0")
    assert code == 1
    assert "is a link or not a directory" in line


def test_its_own_monitor_has_reported_before_it_serves(export: Any) -> None:
    """So the first scrape of a script that starts it finds metrics."""
    for _ in range(3):
        exporter = export("-m")
        assert "system_vcpu_count" in exporter.scrape()


@pytest.mark.parametrize("missing", ["prometheus_client", "psutil"])
def test_without_its_packages(tool_environment: Callable[..., dict[str, str]], missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from neuron_adapters.tools.prometheus import main; sys.exit(main(['-m']))"
    done = subprocess.run([sys.executable, "-c", code], env=tool_environment(), capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"needs the package {missing}, which is not installed: pip install 'neuron-adapters[tools]'" in line


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
    exposed = {name: set(samples[0][0]) for name, samples in scrape.items()}
    used = set()
    for expression in expressions(board):
        metrics, selectors, grouped = names_in(expression)
        assert metrics, expression
        assert metrics <= set(exposed), expression
        for metric, labels in selectors:
            assert labels <= exposed[metric] | ADDED, expression
            for label, wanted in re.findall(r'(\w+)=~?"([\w|]+)"', expression):
                told = {sample[0][label] for name in metrics for sample in scrape[name] if label in sample[0]}
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
        "--cert-file FILE`, `--key-file FILE",
    ):
        assert f"`{word}`" in section, word
    assert "neuron-monitor | neuron-monitor-prometheus --port 8000" in section
    assert "grafana/neuron.json" in section
