"""``neuron-adapters inspect``: what is in a file of any of the compilers, read without any framework."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

import neuron_adapters
import neuron_adapters.tf as tfn
import neuron_adapters.torch
from neuron_adapters import mx
from neuron_adapters.files.inspect import look
from neuron_adapters.files.neff import neff
from neuron_adapters.mx._compile import compile_symbol
from neuron_adapters.tools.inspect import main
from neuron_adapters.tools.shared.text import size
from neuron_rt import ArtifactError

from archives import new_style, old_style, write  # isort: skip
from saved_models import Spec, neuron_op, save, save_v1  # isort: skip

ROOT = Path(__file__).resolve().parents[2]
Look = Callable[..., Any]


def shown(path: Path | str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_savedmodel_of_the_compiler(simple: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contents = look(str(simple))
    assert (contents.nc_count, contents.runs_here, contents.replicas) == (1, True, None)
    assert contents.inputs == (("input_1", (-1, 3), "float32"),)
    assert contents.outputs == (("output_1", (-1, 3), "float32"),)
    (part,) = contents.parts
    assert part.neff is not None
    assert part.neff.uuid == "8dd519da-17f3-11ec-9f18-02a83423a121"
    assert part.neff.problem == ""
    assert part.operators == {"MatMul": 1}
    assert part.batch == "any"
    text = shown(simple, capsys)
    assert "compiled by  neuron-cc 1.6.13.0+9f61b2f75, for the hardware" in text
    assert "[?, 3]" in text
    assert "yes: the graph" in text


def test_a_checkpoint_of_the_compiler(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its prefix, or either of its files."""
    for name in ("", "-symbol.json", "-0000.params"):
        contents = look(f"{checkpoint}{name}")
        assert contents.kind == "MXNet checkpoint (MXNet 1.8.0)"
        assert contents.compiled_by.startswith("neuron-cc 1.3.7.0")
        assert contents.inputs == (("data", (1, 28, 28), "float32"),)
        assert contents.outputs == (("softmax_output", (1, 10), ""),)
        assert contents.parts[0].neff is not None
        assert contents.parts[0].neff.problem == ""
        assert contents.parts[0].bytes == 202499
    assert "FullyConnected 3" in shown(checkpoint, capsys)


@pytest.mark.parametrize(("members", "cores", "outputs"), [(new_style(3, 2), 3, 2), (old_style(), 1, 1)])
def test_an_archive_of_the_plugin(
    tmp_path: Path, members: dict[str, bytes], cores: int, outputs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "m.pt", members)
    contents = look(str(path))
    assert (contents.nc_count, contents.runs_here, len(contents.outputs)) == (cores, False, outputs)
    assert contents.inputs == (("input0", (1, 3, 8, 8), "float32"), ("input1", (1, 4), "int64"))
    text = shown(path, capsys)
    assert "runs here    no: its weights exist only" in text
    assert "what to do   compile the original" in text


def test_own_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compile calls here write: who wrote it, for how many NCs, with which inputs."""
    torch.jit.save(
        torch.neuron.trace(
            torch.nn.Linear(3, 2).eval(), torch.ones(1, 3), compiler_args=["--neuroncore-pipeline-cores", "2"]
        ),
        str(tmp_path / "m.pt"),
    )
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), str(tmp_path / "plain.pt"))
    exported = torch.neuron.trace(
        torch.nn.Linear(3, 2).eval(), torch.ones(1, 3), format="pt2", compiler_args=["--neuroncore-pipeline-cores", "6"]
    )
    torch.export.save(exported, str(tmp_path / "m.pt2"))
    monkeypatch.setenv("NEURON_CC_FLAGS", "--neuroncore-pipeline-cores=3")
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="y")])
    tfn.trace(model, tf.ones((1, 3))).save(str(tmp_path / "saved"))
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    out = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    weights = {"fc_weight": mx.nd.ones((2, 3)), "fc_bias": mx.nd.ones((2,))}
    compiled = compile_symbol(out, weights, {}, {"data": np.ones((1, 3), "f4")}, **{"--neuroncore-pipeline-cores": 4})
    mx.model.save_checkpoint(str(tmp_path / "c"), 7, *compiled)
    (tmp_path / "m.neff").write_bytes(neff("1.2.3.4+abc-/x", 5, {"a": b"1"}))
    ours = f"neuron_adapters {neuron_adapters.__version__}, for emulated NeuronCores"
    wanted = {
        "m.pt": ("TorchScript archive", ours, 2, True),
        "plain.pt": ("TorchScript archive", "", 1, True),
        "m.pt2": ("PyTorch exported program", "neuron_adapters, for emulated NeuronCores", 6, True),
        "saved": ("TensorFlow SavedModel", ours, 3, True),
        "m.keras": ("Keras file", "", 1, True),
        "m.h5": ("Keras file (HDF5)", "", 1, True),
        "c": ("MXNet checkpoint (MXNet 1.9.1)", ours, 4, True),
        "m.neff": ("NEFF", "neuron-cc 1.2.3.4+abc, for the hardware", 5, False),
    }
    for name, expected in wanted.items():
        contents = look(str(tmp_path / name))
        kind = contents.kind.partition(" (TensorFlow")[0]
        assert (kind, contents.compiled_by, contents.nc_count, contents.runs_here) == expected
        shown(tmp_path / name, capsys)
    assert look(str(tmp_path / "m.pt")).inputs == (("0", (1, 3), "float32"),)
    assert look(str(tmp_path / "saved")).inputs[0][1:] == ((1, 3), "float32")


def test_erased_and_tensorflow_1(tmp_path: Path) -> None:
    def erase(graph: Any) -> None:
        for node in graph.node:
            if node.op == "Const" and node.ByteSize() > 1024:
                node.attr["value"].tensor.tensor_content = b""

    nodes = [
        neuron_op(
            "n",
            lambda x: x @ tf.constant(np.ones((64, 64), "f4")),
            [Spec([1, 64])],
            ["x"],
            cores=2,
            replicas=6,
            change=erase,
        )
    ]
    contents = look(str(save_v1(tmp_path / "m", {"x": Spec([1, 64])}, nodes, {"y": "n:0"})))
    assert (contents.nc_count, contents.replicas, contents.runs_here) == (2, 6, False)
    assert "took large constants" in contents.how


def test_no_framework(simple: Path, checkpoint: Path, tmp_path: Path) -> None:
    """A process that may not import one."""
    path = write(tmp_path / "m.pt", new_style())
    script = Path(__file__).parent / "scripts" / "inspect_without_frameworks.py"
    env = {"PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}", "PATH": os.environ["PATH"]}
    files = [str(simple), str(checkpoint), str(path)]
    done = subprocess.run(
        [sys.executable, "-W", "error", script, "--json", *files], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert [json.loads(line)["nc_count"] for line in done.stdout.splitlines()] == [1, 1, 2]
    first = json.loads(done.stdout.splitlines()[0])
    assert first["inputs"] == [{"name": "input_1", "shape": [-1, 3], "dtype": "float32"}]
    assert first["parts"][0]["neff"]["ncs_per_node"] == [1]
    assert first["runs_here"] is True
    command = [sys.executable, script, *files * 300]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        reader.stdout.readline()
        reader.stdout.close()  # as "| head -1" does
        assert reader.stderr.read() == b""
        assert reader.wait() == 0
    ascii_only = subprocess.run(
        [sys.executable, script, str(simple)], env={**env, "PYTHONIOENCODING": "ascii"}, capture_output=True
    )
    assert ascii_only.returncode == 0


def test_what_it_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str], simple: Path) -> None:
    """One line for each that cannot be read; the others are shown."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "zip").write_bytes(b"PK\3\4" + b"\0" * 50)
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "saved_model.pb").write_bytes((simple / "saved_model.pb").read_bytes()[:9000])
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x\x1b[2J\n-symbol.json").write_text("{}")
    names = ["text", "zip", "empty", "half", "pipe", "x\x1b[2J\n", "missing"]
    for name in names:
        with pytest.raises((ArtifactError, OSError)):
            look(str(tmp_path / name))
    assert main([*(str(tmp_path / name) for name in names), str(simple)]) == 1
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == len(names)
    assert "\x1b" not in err
    assert "MatMul" in out
    assert err.splitlines()[-1].endswith("missing: No such file or directory")
    for arguments in ([], ["--unknown", "x"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "exit codes" in capsys.readouterr().out


def test_names_in_files_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [neuron_op("n", lambda x: x + 1, [Spec([1, 3])], ["x"])]
    nodes[0].attr["input_names"].list.s[0] = b"\x1b[31m" + b"x" * 5000
    path = save(tmp_path / "m", {"x": Spec([1, 3])}, nodes, ["n:0"])
    text = shown(path, capsys)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 300


def test_sizes() -> None:
    assert [size(count) for count in (0, 1023, 1024, 1 << 20, 5 << 40)] == ["0 B", "1 KB", "1 KB", "1 MB", "5 TB"]


def test_unreadable(tmp_path: Path, simple: Path) -> None:
    """Links out of a directory are not followed to measure it."""
    shutil.copytree(simple, tmp_path / "m", copy_function=shutil.copyfile)
    (tmp_path / "m").chmod(0o755)
    before = look(str(tmp_path / "m")).bytes
    (tmp_path / "m" / "link").symlink_to(sys.executable)
    assert look(str(tmp_path / "m")).bytes - before < 1000


def test_a_record_across_two_pieces(tmp_path: Path) -> None:
    """A file is searched piece by piece, and what is no record does not end the search."""
    from neuron_adapters.files import inspect
    from neuron_adapters.files.record import Record

    text = Record(pipeline_cores=3).dumps().encode()
    for start in (0, inspect._PIECE - 5, 2 * inspect._PIECE + 7):
        (tmp_path / "f").write_bytes(b"x" * start + b'{"version": 1}' * 2 + text + b"y" * 10)
        record = inspect._record(str(tmp_path / "f"))
        assert record is not None
        assert record.pipeline_cores == 3
    (tmp_path / "f").write_bytes(b'{"version": ' * 300)
    assert inspect._record(str(tmp_path / "f")) is None
