"""SPEC K: files of compiled models: what travels through them, and how they are checked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from traced_functions import close, load

import neuron_adapters
from neuron_rt import ArtifactError, CompileError


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
def test_pipeline_cores_travel(models: Path, image: tf.Tensor, tmp_path: Path, cores: int) -> None:
    """SPEC K1: also through a second save, and through TensorFlow's own."""
    first = load(models / f"k{cores}")
    first.save(tmp_path / "second")
    tf.saved_model.save(tf.saved_model.load(str(tmp_path / "second")), str(tmp_path / "third"))
    tf.saved_model.save(first, str(tmp_path / "fourth"))
    for name in ("second", "third", "fourth"):
        model = load(tmp_path / name)
        (run, *more) = neuron_adapters.placement(model)
        assert run.nc_count == cores
        assert len(more) == (3 if cores == 1 else 0)
        assert np.array_equal(model(image), first(image))


def test_plain_tensorflow_opens_the_file(script: Callable[..., str], models: Path, net: Any, image: tf.Tensor) -> None:
    """SPEC K1: without this package."""
    np.save(models / "x.npy", image)
    assert script("plain_tensorflow_opens_the_file.py", folder=models, imported=True) == "(2, 5) False\n"
    np.testing.assert_allclose(np.load(models / "y.npy"), net(image), rtol=1e-3, atol=1e-4)


def test_same_bits_everywhere(models: Path, image: tf.Tensor) -> None:
    """SPEC K3, K5: on every NC, replica, load and run; loads of one file share what is loaded."""
    first, second = load(models / "k1"), load(models / "k1")
    answers = {first(image).numpy().tobytes() for _ in range(8)} | {second(image).numpy().tobytes() for _ in range(8)}
    assert len(answers) == 1
    placed = [vars(model)["_neuron_placed"] for model in (first, second)]
    assert placed[0].executable is placed[1].executable
    assert [place.start_nc for place in neuron_adapters.placement(second)] == [4, 5, 6, 7]


def test_checksums(models: Path, image: tf.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K4: one clear error for a changed byte, where the variable asks for the check."""
    import shutil

    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    load(models / "k1")(image)
    shutil.copytree(models / "k1", tmp_path / "changed")
    weights = tmp_path / "changed" / "variables" / "variables.data-00000-of-00001"
    data = bytearray(weights.read_bytes())
    data[len(data) // 3] ^= 1
    weights.write_bytes(data)
    before = neuron_adapters.describe().models
    with pytest.raises(ArtifactError, match=r"variables.data-00000-of-00001 is not the file that was saved"):
        load(tmp_path / "changed")
    shutil.copytree(models / "k1", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "assets.extra")
    with pytest.raises(ArtifactError, match="has no checksums"):
        load(tmp_path / "bare")
    assert len(neuron_adapters.describe().models) <= len(before)


def damaged_record(path: Path, *texts: str) -> None:
    """A SavedModel whose record says ``texts``."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 3))])
        def __call__(self, x: Any) -> Any:
            return x

        @tf.function(input_signature=[])
        def neuron_artifact(self) -> Any:
            return [tf.constant(text) for text in texts]

    module = Module()
    module.aws_neuron_function = module.__call__.get_concrete_function()
    module.neuron_weights = []
    tf.saved_model.save(module, str(path), signatures=module.__call__)


@pytest.mark.parametrize(
    "texts",
    [
        ("", ""), ("{}", ""), ("[]", ""), ("null", ""), ('{"version": 99}', ""), ("{" * 5000, ""), ("x",), ("a", "b", "c"),
        ('{"version": 1, "pipeline_cores": 0}', ""), ('{"version": 1, "pipeline_cores": 1, "inputs": 3}', ""),
        ('{"version": 1, "pipeline_cores": 1, "inputs": [["0", [-1], "float32"]]}', ""),
        ('{"version": 1, "pipeline_cores": 1, "inputs": [["0", [1], "no dtype"]]}', ""),
    ],
)  # fmt: skip
def test_damaged_records(tmp_path: Path, texts: tuple[str, ...]) -> None:
    """One clear error, nothing left allocated, from either call."""
    damaged_record(tmp_path / "m", *texts)
    for load_it in (load, lambda path: tf.saved_model.load(str(path))):
        with pytest.raises(ArtifactError, match="record of the compilation cannot be read"):
            load_it(tmp_path / "m")
    assert neuron_adapters.describe().models == ()


def test_a_form_that_cannot_be_used(
    models: Path, image: tf.Tensor, net: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged form for the engine: said once, TensorFlow runs the file."""
    from dataclasses import replace

    artifact = vars(load(models / "k1"))["_neuron_placed"].executable.artifact
    record = replace(artifact.record, engine="openvino", outputs=artifact.record.outputs or artifact.record.inputs)
    for number, program in enumerate(("", "{}", artifact.program[:-400], artifact.program.replace("A", "B"))):
        replace(artifact, record=record, program=program).save(tmp_path / str(number))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "neuron_adapters"):
            model = load(tmp_path / str(number))
        close(model(image), net(image))
        assert [record.levelname for record in caplog.records if "TensorFlow runs it" in record.message] == ["WARNING"]
        assert neuron_adapters.describe().models[-1].engine == "tf"


def test_save_says_what_it_takes(models: Path, tmp_path: Path) -> None:
    """A compiled model is a graph: Keras files do not hold it."""
    model = load(models / "k1")
    for name in ("m.keras", "m.h5"):
        with pytest.raises(CompileError, match="SavedModel"):
            model.save(tmp_path / name)
    keras.models.save_model(model, tmp_path / "directory")
    assert (tmp_path / "directory" / "saved_model.pb").exists()
