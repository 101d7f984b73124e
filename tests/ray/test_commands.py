"""SPEC M1: ``neuron-adapters link-tools`` and ``ray-resources``, and what a node that a driver starts declares."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ray._private.accelerators.neuron import NeuronAcceleratorManager
from ray_machines import PATH, ROOT, free_port

import neuron_rt
from neuron_adapters.ray import offer
from neuron_adapters.tools import cli, link_tools
from neuron_rt import StateDirectoryError

Say = pytest.CaptureFixture[str]


def entries(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_links_are_made_and_removed(tmp_path: Path, capsys: Say) -> None:
    """Twice is harmless, and nothing stays behind."""
    directory = tmp_path / "opt" / "aws" / "neuron" / "bin"
    for _ in range(2):
        assert cli.main(["link-tools", str(directory)]) == 0
        assert str(directory) in capsys.readouterr().out
    assert entries(directory) == sorted(link_tools.NAMES)
    done = subprocess.run(
        [directory / "neuron-ls", "--json-output"], env=clean(tmp_path), capture_output=True, check=True
    )
    assert sum(device["nc_count"] for device in json.loads(done.stdout)) == 4
    for said in ("removed neuron-ls", "no links of this package"):
        assert cli.main(["link-tools", "--remove", str(directory)]) == 0
        assert said in capsys.readouterr().out
    assert entries(directory) == []


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/bin/true")], ids=["file", "link"])
def test_files_of_others_stay(tmp_path: Path, capsys: Say, make: Callable[[Path], None]) -> None:
    make(tmp_path / "neuron-top")
    before = (tmp_path / "neuron-top").lstat()
    assert cli.main(["link-tools", str(tmp_path)]) == 1
    assert "neuron-top is there already and is not a link to" in capsys.readouterr().err
    assert cli.main(["link-tools", "--remove", str(tmp_path)]) == 0
    assert entries(tmp_path) == ["neuron-top"]
    assert (tmp_path / "neuron-top").lstat() == before


def test_links_that_cannot_be_made(capsys: Say) -> None:
    assert cli.main(["link-tools", "/proc/neuron/bin"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("neuron-adapters link-tools: /proc/neuron/bin: ")


def test_ray_finds_the_tool_where_the_command_puts_it() -> None:
    """Ray has that path in its code, and looks nowhere else."""
    import inspect

    code = inspect.getsource(NeuronAcceleratorManager.get_current_node_num_accelerators)
    assert f'"{link_tools.DIRECTORY}/"' in code
    assert '"neuron-ls"' in code


def clean(folder: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEURON")}
    own = {"NEURON_ADAPTERS_STATE_DIR": str(folder / "state"), "NEURON_ADAPTERS_INSTANCE": "4"}
    return {**kept, **own, **variables}


def test_a_node_declares_what_nobody_owns(
    tmp_path: Path, own_runtime: None, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")
    assert cli.main(["ray-resources"]) == 0
    assert json.loads(capsys.readouterr().out) == {"neuron_cores": 8}
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", "6-7")
    runtime = neuron_rt.init()
    monkeypatch.delenv("NEURON_RT_VISIBLE_CORES")
    assert cli.main(["ray-resources"]) == 0
    assert json.loads(capsys.readouterr().out) == {"neuron_cores": 6}
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "4")
    assert offer.read().ncs == (0, 1, 2, 3)
    runtime.close()


@pytest.mark.parametrize(
    ("owner", "visible", "needed"),
    [("0-1", None, "2,3,4,5,6,7"), (None, "0-3", "0,1,2,3"), ("4", "4,2,6", "2,6")],
    ids=["the first are owned", "a range", "one of a list is owned"],
)
def test_ray_has_to_be_told_which(
    own_runtime: None, monkeypatch: pytest.MonkeyPatch, capsys: Say, owner: str | None, visible: str | None, needed: str
) -> None:
    """Ray counts NeuronCores from 0, or reads a plain list: with anything else it would hand out wrong ones."""
    monkeypatch.setenv("NEURON_ADAPTERS_INSTANCE", "8")
    if owner is not None:
        monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", owner)
        neuron_rt.init()
        monkeypatch.delenv("NEURON_RT_VISIBLE_CORES")
    if visible is not None:
        monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", visible)
    assert cli.main(["ray-resources"]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert f"export NEURON_RT_VISIBLE_CORES={needed} first" in said.err
    monkeypatch.setenv("NEURON_RT_VISIBLE_CORES", needed)
    assert cli.main(["ray-resources"]) == 0
    assert json.loads(capsys.readouterr().out) == {"neuron_cores": len(needed.split(","))}


def test_a_driver_that_starts_a_node(tmp_path: Path) -> None:
    """It owns two NeuronCores itself and declares the others; its tasks have those, and a second node none. Nor does a
    node that Ctrl-C has kept from starting."""
    script = Path(__file__).parent / "scripts" / "driver.py"
    with tempfile.TemporaryDirectory() as folder:  # Ray needs a short name: its sockets are there
        note = Path(folder, "ray", "ray_current_cluster")
        note.parent.mkdir()
        note.write_text(f"127.0.0.1:{free_port()}")
        env = clean(tmp_path, PYTHONPATH=PATH, RAY_TMPDIR=folder)
        done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    said = ["driver (0, 1)", "interrupted 2 can be declared", "declared 2.0", "task (2, 3) 2,3", '{"neuron_cores": 0}']
    assert done.stdout.splitlines() == said


def test_ranks_of_torchrun_have_neuroncores_of_their_own(tmp_path: Path) -> None:
    """As docs/cluster.md says: each rank names its own by LOCAL_RANK."""
    script = Path(__file__).parent / "scripts" / "rank.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path]
    env = clean(tmp_path, PYTHONPATH=PATH, GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    assert [rank["ncs"] for rank in ranks] == [[0, 1], [2, 3]]
    assert [rank["sum"] for rank in ranks] == [3.0, 3.0]


def test_the_dashboard_tells_machines_apart() -> None:
    """Two machines can have processes of the same number: a line in a picture of Grafana is of one machine."""
    dashboard = json.loads((ROOT / "docs" / "grafana" / "neuron.json").read_text())
    lines = [
        target for panel in dashboard["panels"] for target in panel.get("targets", []) if target.get("legendFormat")
    ]
    assert len(lines) > 10
    for line in lines:
        assert re.search(r"by \(instance[,)]", line["expr"]), line["expr"]
        assert line["legendFormat"].startswith("{{instance}} ")


def test_somebody_else_who_starts_a_node_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC O5: a process that starts a node keeps no other waiting for ever, and none that uses another state directory."""
    monkeypatch.setattr(offer, "_PATIENCE", 0.2)
    (tmp_path / "link").symlink_to(tmp_path)
    said = "another process has been starting a Ray node"
    with offer.alone(tmp_path), pytest.raises(StateDirectoryError, match=said), offer.alone(tmp_path / "link"):
        pass
    with offer.alone(tmp_path), offer.alone(tmp_path / "another"):
        pass
    with offer.alone(tmp_path):
        pass


def test_a_state_directory_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURON_ADAPTERS_STATE_DIR", str(tmp_path / "file"))
    assert cli.main(["ray-resources"]) == 1
    assert f"The state directory {tmp_path / 'file'} is a link or not a directory" in capsys.readouterr().err
