"""SPEC R3 and the calls beside trace(): the command, saved_model.compile, measure_performance."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow.neuron as tfn

import neuron_adapters
from neuron_adapters.tools import auto_multicore
from neuron_rt import ArtifactError, CompileError

load = tf.keras.models.load_model


# -- tf-neuron-auto-multicore ----------------------------------------------------------------------------------------


def command(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neuron_adapters.tools.auto_multicore", *map(str, words)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables},
    )  # fmt: skip


def test_command(models: Path, tmp_path: Path, image: tf.Tensor) -> None:
    """R3: as a user types it; what it writes loads as replicas, with the same numbers. It takes no NeuronCores."""
    done = command(models / "k1", "--num_cores", 3, "--new_model_dir", tmp_path / "three", NEURON_RT_VISIBLE_CORES="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("tf-neuron-auto-multicore: done")
    many, single = load(tmp_path / "three"), load(models / "k1")
    assert len(neuron_adapters.placement(many)) == 3
    assert np.array_equal(many(image), single(image))
    assert many.on_neuron_ratio == single.on_neuron_ratio


def test_command_writes_over_a_model(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for cores in (5, 2):
        assert (
            auto_multicore.main([str(models / "k1"), "--num_cores", str(cores), "--new_model_dir", str(tmp_path / "m")])
            == 0
        )
    assert len(neuron_adapters.placement(load(tmp_path / "m"))) == 2
    assert "NeuronCore(s) in turn" in capsys.readouterr().out


def spoil(models: Path, folder: Path, kind: str) -> Path:
    """A directory that is no model to replicate."""
    path = folder / kind
    if kind == "empty":
        path.mkdir()
    elif kind == "file":
        path.write_text("no directory")
    elif kind == "plain":
        keras.models.load_model(models / "plain.keras").export(path, verbose=False)
    elif kind == "pipeline":
        return models / "k2"
    elif kind in ("cut", "noise"):
        shutil.copytree(models / "k1", path)
        graph = path / "saved_model.pb"
        data = graph.read_bytes()
        graph.write_bytes(data[: len(data) // 2] if kind == "cut" else os.urandom(len(data)))
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "is not a directory"), ("file", "is not a directory"), ("empty", "is no SavedModel"),
        ("plain", "was not compiled"), ("pipeline", "2 pipeline cores"), ("cut", "cannot be read as a SavedModel"),
        ("noise", "cannot be read as a SavedModel"),
    ],
)  # fmt: skip
def test_command_refuses_a_model(
    models: Path, tmp_path: Path, kind: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, one line that says why, nothing written and nothing allocated."""
    source = spoil(models, tmp_path, kind)
    capsys.readouterr()
    before = neuron_adapters.describe().models
    assert auto_multicore.main([str(source), "--num_cores", "2", "--new_model_dir", str(tmp_path / "new")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tf-neuron-auto-multicore: ")
    assert said in line
    assert str(source) in line
    assert not (tmp_path / "new").exists()
    assert len(neuron_adapters.describe().models) <= len(before)


@pytest.mark.parametrize("cores", ["0", "-1", "17", "two", "1.5", ""])
def test_command_refuses_a_number(models: Path, tmp_path: Path, cores: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the usage: below 1, above the instance, no number."""
    with pytest.raises(SystemExit) as ended:
        auto_multicore.main([str(models / "k1"), "--num_cores", cores, "--new_model_dir", str(tmp_path / "new")])
    assert ended.value.code == 2
    assert "--num_cores" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_command_keeps_what_is_there(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It neither writes into its own source nor over a directory that is no model."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("mine")
    shutil.copytree(models / "k1", tmp_path / "mixed")
    (tmp_path / "mixed" / "notes.txt").write_text("mine")
    for target in (models / "k1", tmp_path / "precious", tmp_path / "mixed"):
        with pytest.raises(SystemExit) as ended:
            auto_multicore.main([str(models / "k1"), "--num_cores", "2", "--new_model_dir", str(target)])
        assert ended.value.code == 2
        assert "--new_model_dir" in capsys.readouterr().err
    assert os.listdir(tmp_path / "precious") == ["thesis.txt"]
    assert (tmp_path / "mixed" / "notes.txt").exists()


def test_command_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        auto_multicore.main(["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in out for word in ("--num_cores", "--new_model_dir", "exit codes", "example"))


def test_an_interrupt_that_a_library_has_caught(models: Path, tmp_path: Path) -> None:
    """Ctrl-C counts, whoever caught it: exit code 130 and no file."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(
        "import os, signal, sys, time\nclass Catches:\n def find_spec(self, name, *rest):\n"
        "  if name == 'tensorflow':\n   sys.meta_path.remove(self)\n   try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1)\n   except KeyboardInterrupt:\n    pass\n"
        "sys.meta_path.insert(0, Catches())\n"
    )
    path = os.pathsep.join([str(tmp_path / "path"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "neuron_adapters.tools.auto_multicore", models / "k1", "--new_model_dir"]
    done = subprocess.run(
        [*command, tmp_path / "m"], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "tf-neuron-auto-multicore: interrupted"
    assert sorted(os.listdir(tmp_path)) == ["path", "state"]


@pytest.mark.parametrize("delay", [0.0, 0.4, 1.0])
def test_command_is_interrupted(models: Path, tmp_path: Path, delay: float) -> None:
    """Ctrl-C: exit code 130, one line and no file, from the first moment of the import of TensorFlow on."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "neuron_adapters.tools.auto_multicore",
            str(models / "k1"),
            "--new_model_dir",
            str(tmp_path / "m"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "reading" in process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "tf-neuron-auto-multicore: interrupted"
    assert os.listdir(tmp_path) == ["state"]


# -- saved_model.compile ---------------------------------------------------------------------------------------------


def older_model(path: Path) -> tf.Tensor:
    """As scripts for TensorFlow 1 wrote them: two named tensors in, two out, float16, a batch that varies."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        left = v1.placeholder(tf.float16, [None, 2, 2, 3], name="left")
        right = v1.placeholder(tf.float16, [None, 2, 2, 3], name="right")
        kernel = tf.constant(np.random.default_rng(0).random((1, 1, 3, 3)), tf.float16)
        mixed = tf.nn.conv2d(left, kernel, 1, "VALID") + right
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            v1.saved_model.simple_save(
                session, str(path), {"left": left, "right": right}, {"mixed": mixed, "positive": tf.nn.relu(mixed)}
            )
    return kernel


@pytest.mark.parametrize("feed", ["node", "signature", "shapes", "none"])
def test_compile_a_model_of_tensorflow_1(tmp_path: Path, feed: str) -> None:
    """The documented call, with inputs named as placeholders or as the signature names them."""
    older_model(tmp_path / "old")
    rows = 1 if feed == "none" else 3
    rng = np.random.default_rng(2)
    left, right = (rng.random((rows, 2, 2, 3)).astype(np.float16) for _ in range(2))
    arguments: dict[str, Any] = {
        "node": {"model_feed_dict": {"left:0": left, "right:0": right}},
        "signature": {"model_feed_dict": {"left": left, "right": right}},
        "shapes": {"model_shape_feed_dict": {"left": left.shape, "right": right.shape}},
        "none": {},
    }[feed]
    assert tfn.saved_model.compile(tmp_path / "old", tmp_path / "new", **arguments) == {"OnNeuronRatio": 1.0}
    plain = tf.saved_model.load(str(tmp_path / "old"))
    expected = plain.signatures["serving_default"](left=tf.constant(left), right=tf.constant(right))
    restored = tf.saved_model.load(str(tmp_path / "new"))
    outputs = restored.signatures["serving_default"](left=tf.constant(left), right=tf.constant(right))
    assert set(outputs) == {"mixed", "positive"}
    for name, output in outputs.items():
        assert output.dtype == tf.float16
        np.testing.assert_allclose(output, expected[name], rtol=2e-3, atol=2e-3)
    assert len(neuron_adapters.placement(restored)) == 4
    model = load(tmp_path / "new")
    np.testing.assert_allclose(model(left=left, right=right)["mixed"], outputs["mixed"])


def test_compile_a_keras_model(models: Path, net: Any, image: tf.Tensor, tmp_path: Path) -> None:
    """What Keras exports; compiler_args count, and NEURON_CC_FLAGS do."""
    net.export(tmp_path / "exported", verbose=False)
    (name,) = (
        tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"].structured_input_signature[1]
    )
    tfn.saved_model.compile(
        str(tmp_path / "exported"), str(tmp_path / "new"), model_feed_dict={name: image.numpy()},
        compiler_args=["--neuroncore-pipeline-cores", "3"], tags="serve",
    )  # fmt: skip
    model = load(tmp_path / "new")
    assert [place.nc_count for place in neuron_adapters.placement(model)] == [3]
    np.testing.assert_allclose(tf.nest.flatten(model(image))[0], net(image), rtol=1e-3, atol=1e-4)


def test_compile_refuses(models: Path, net: Any, image: tf.Tensor, tmp_path: Path) -> None:
    """One clear error each; nothing is written."""
    net.export(tmp_path / "exported", verbose=False)
    new = tmp_path / "new"
    for wrong, kind, said in (
        ({"model_feed_dict": {"nobody": image}}, CompileError, "nobody"),
        ({"signature_def_key": "train"}, CompileError, "has no signature 'train'; it has"),
        ({"batch": 3}, CompileError, "no argument 'batch'"),
        ({"compiler_args": "--no-such-flag"}, CompileError, "--no-such-flag"),
        ({"tags": "gpu"}, ArtifactError, "gpu"),
    ):
        with pytest.raises(kind, match=said):
            tfn.saved_model.compile(tmp_path / "exported", new, **wrong)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="is no SavedModel"):
        tfn.saved_model.compile(tmp_path / "empty", new)
    with pytest.raises(ArtifactError, match="cannot be read"):
        tfn.saved_model.compile(tmp_path / "missing", new)
    assert not new.exists()


# -- measure_performance ---------------------------------------------------------------------------------------------


def test_measure_performance(models: Path, image: tf.Tensor, caplog: pytest.LogCaptureFixture) -> None:
    """All placed models inside ``with``, none outside; the report is logged and returned."""
    model = load(models / "k1")
    model(image)  # the first call takes its time
    with caplog.at_level(logging.INFO, "neuron_adapters"), tfn.measure_performance(window_size=0.1) as perf:
        end = time.time() + 1.0
        calls = 0
        while time.time() < end:
            model(image)
            calls += 1
        report = perf.report(verbosity=1)
    model(image)
    assert report == {**report, "pid": os.getpid()}
    assert perf.report()["latency"] == report["latency"]
    assert (
        0
        < report["latency"]["p50"]
        <= report["latency"]["p90"]
        <= report["latency"]["p99"]
        <= report["latency"]["p100"]
    )
    throughput = report["throughput"]
    assert 0 < throughput["median"] <= throughput["peak"]
    assert throughput["average"] * 0.3 <= 1.5 * calls
    assert len(throughput["trend"]) >= 4
    logged = [record.message for record in caplog.records if record.message.startswith("performance report:")]
    assert json.loads(logged[-1].partition("\n")[2])["latency"] == report["latency"]


def test_measure_one_function() -> None:
    """Given a function, only its calls count; as a decorator, each call of the block; no calls, no report."""
    with tfn.measure_performance(lambda seconds: time.sleep(seconds)) as perf:
        assert perf.report() is None
        perf(0.02)
    assert perf.report()["latency"]["p50"] >= 0.02

    @tfn.measure_performance(window_size=0.5)
    def block(number: int) -> int:
        """What it does."""
        return number + 1

    assert block(2) == 3
    assert block.__doc__ == "What it does."
    with pytest.raises(ValueError, match="window_size"):
        tfn.measure_performance(window_size=0)
    with tfn.measure_performance() as perf, pytest.raises(TypeError, match="no function"):
        perf(1)
