"""SPEC K, R3: tensorflow.neuron.trace and auto_multicore, and what they return."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow.neuron as tfn
from traced_functions import CASES, close, half_precision, image_network, load, recurrent

import neuron_adapters
import neuron_rt
from neuron_rt import CompileError, NotEnoughNeuronCoresError


def neuron_ops(function: Any) -> list[Any]:
    return [op for op in function.graph.get_operations() if op.type == "NeuronOp"]


@pytest.mark.parametrize("make", CASES)
def test_trace(make: Callable[[], tuple[Any, Any, Any]], tmp_path: Path) -> None:
    """SPEC K1, K3: traced, called, saved, loaded by either call; always the original's results."""
    func, example, args = make()
    args, kwargs = ((), example) if args is None else (args, {})
    expected = func(*args, **kwargs)
    model = tfn.trace(func, example)
    assert isinstance(model, tf.keras.Model)
    assert 0 < model.on_neuron_ratio <= 1
    (op,) = neuron_ops(model.aws_neuron_function)
    assert neuron_ops(model.aws_neuron_function.python_function)
    assert op.get_attr("executable")[:1] == b"\x02"
    assert op.get_attr("graph_def")
    assert isinstance(model.aws_neuron_function, tf.types.experimental.ConcreteFunction)
    close(model(*args, **kwargs), expected)
    model.save(tmp_path / "saved")
    reloaded = load(tmp_path / "saved")
    close(reloaded(*args, **kwargs), expected)
    assert neuron_ops(reloaded.aws_neuron_function)
    reloaded.save(tmp_path / "again")
    restored = tf.saved_model.load(str(tmp_path / "again"))
    close(restored(*args, **kwargs), expected)
    assert neuron_ops(restored.aws_neuron_function)
    signature = restored.signatures["serving_default"]
    names = signature.structured_input_signature[1]
    flat = tf.nest.flatten((args, kwargs))
    results = signature(**{spec.name: tensor for spec, tensor in zip(names.values(), _in_order(names, restored, flat))})
    assert len(results) == len(tf.nest.flatten(expected))
    flat_answer = model.aws_neuron_function(*flat)
    close(tf.nest.flatten(flat_answer), tf.nest.flatten(expected))


def _in_order(names: Any, restored: Any, flat: Any) -> Any:
    """The inputs by the order of a signature's names."""
    artifact = vars(restored)["_neuron_placed"].executable.artifact
    by_name = dict(zip(artifact.names[0], flat))
    return [by_name[name] for name in names]


def test_float16_agrees() -> None:
    """SPEC K3, in the precision that float16 has."""
    func, example, _args = half_precision()
    close(tfn.trace(func, example)(example), func(example), rtol=4e-3, atol=1e-2)


def test_the_original_goes_on(net: Any, image: tf.Tensor) -> None:
    """The result's weights are a copy: training the original changes nothing, and the result learns nothing."""
    original = keras.models.clone_model(net)
    model = tfn.trace(original, image)
    before = model(image).numpy()
    original.set_weights([w + 1 for w in original.get_weights()])
    assert np.array_equal(model(image), before)
    model.compile("sgd", "mse")
    with pytest.raises(CompileError, match="infers only"):
        model.fit(image, before, verbose=0)


def test_inside_other_things(net: Any, image: tf.Tensor, models: Path) -> None:
    """A compiled model in a tf.function, in another model, and in predict."""
    model = load(models / "k1")
    close(tf.function(lambda x: model(x) * 2)(image), net(image) * 2)
    entry = keras.Input((8, 8, 3), batch_size=2)
    close(keras.Model(entry, keras.layers.Softmax()(model(entry)))(image), tf.nn.softmax(net(image)))
    close(tf.constant(model.predict(image, verbose=0)), net(image))
    close(
        tf.constant(model.predict(tf.concat([image] * 3, 0), batch_size=2, verbose=0)), net(tf.concat([image] * 3, 0))
    )


def test_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, net: Any, image: tf.Tensor) -> None:
    """An unknown flag lists the known ones; --workdir is written to."""
    monkeypatch.setenv("NEURON_CC_FLAGS", "--neuroncore-pipeline-core=4")
    with pytest.raises(CompileError, match=r"--neuroncore-pipeline-core=4.*Known: .*--neuroncore-pipeline-cores"):
        tfn.trace(net, image)
    monkeypatch.setenv("NEURON_CC_FLAGS", f"--workdir '{tmp_path}/work' --verbose 35 --neuroncore-pipeline-cores 2")
    model = tfn.trace(net, image)
    assert {"graph_def.pbtxt", "artifact.json"} <= set(os.listdir(tmp_path / "work"))
    model(image)
    assert neuron_adapters.placement(model)[0].nc_count == 2
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEURON_CC_FLAGS", f"--workdir {tmp_path}/file")
    with pytest.raises(CompileError, match="cannot be written"):
        tfn.trace(net, image)


def test_cast(monkeypatch: pytest.MonkeyPatch, net: Any, image: tf.Tensor) -> None:
    """SPEC K3: a cast flag asks for less precision."""
    monkeypatch.setenv("NEURON_CC_FLAGS", "--fp32-cast=all")
    model = tfn.trace(net, image)
    close(model(image), net(image), rtol=2e-2, atol=2e-2)
    (report,) = neuron_adapters.describe().models
    assert "bfloat16" in report.why or report.engine == "tf"


def test_subgraph_builder(net: Any, image: tf.Tensor) -> None:
    """It decides the ratio; the graph runs in one piece."""
    seen = set()

    def builder(node: Any) -> bool:
        seen.add(node.op)
        return node.op == "MatMul"

    model = tfn.trace(net, image, subgraph_builder_function=builder)
    assert "Conv2D" in seen
    assert 0 < model.on_neuron_ratio < 1
    close(model(image), net(image))


@pytest.mark.parametrize("engine", ["openvino", "framework", "auto"])
def test_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str) -> None:
    """NEURON_ADAPTERS_ENGINE: what computes is said, and travels in the file."""
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    func, example, _args = image_network()
    tfn.trace(func, example).save(tmp_path / "m")
    model = load(tmp_path / "m")
    close(model(example), func(example))
    (report,) = neuron_adapters.describe().models
    assert report.engine == ("tf" if engine == "framework" else "openvino") or engine == "auto"
    if engine == "openvino":
        with pytest.raises(CompileError, match="forbids TensorFlow's own graph"):
            tfn.trace(*recurrent()[:2])


def test_auto_multicore(models: Path, net: Any, image: tf.Tensor, tmp_path: Path) -> None:
    """SPEC R3: N replicas, calls in turn, through save and load; from a traced, a loaded and a restored model."""
    for model in (tfn.trace(net, image), load(models / "k1"), tf.saved_model.load(str(models / "k1")), net):
        many = tfn.auto_multicore(model, image, num_cores=6)
        for _ in range(12):
            close(many(image), net(image))
        assert [place.nc_count for place in neuron_adapters.placement(many)] == [1] * 6
        assert neuron_adapters.describe().models[-1].calls_by_replica == (2,) * 6
        nodes = many.aws_neuron_function.graph.as_graph_def().node
        assert [node.attr["_automatic_multicore"].i for node in nodes if node.op == "NeuronOp"] == [6]
        many.save(tmp_path / "many")
        again = load(tmp_path / "many")
        assert len(neuron_adapters.placement(again)) == 6
        close(again(image), net(image))
        restored = tf.saved_model.load(str(tmp_path / "many"))
        assert len(neuron_adapters.placement(restored)) == 6
        del model, many, again, restored
        neuron_rt.current().close()


def test_auto_multicore_refuses(models: Path, image: tf.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC R3, P4."""
    model = load(models / "k1")
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(tf.errors.InvalidArgumentError) as raised:
            tfn.auto_multicore(model, image, num_cores=wrong)
        assert raised.value.args[0].startswith("Num of cores for auto multicore")
    with pytest.raises(CompileError, match="2 pipeline cores"):
        tfn.auto_multicore(load(models / "k2"), image, num_cores=2)
    with pytest.raises(NotEnoughNeuronCoresError):
        tfn.auto_multicore(model, image, num_cores=17)(image)


@pytest.mark.parametrize("example", [(), [], {}, "text", [None], object()])
def test_bad_examples(example: Any) -> None:
    with pytest.raises(CompileError, match="example_inputs"):
        tfn.trace(lambda x: x, example)


def test_bad_functions() -> None:
    with pytest.raises(CompileError, match="got int"):
        tfn.trace(3, tf.ones(1))
    with pytest.raises(CompileError, match="returns no tensor"):
        tfn.trace(lambda _x: None, tf.ones(1))


def test_analyze_model(net: Any, image: tf.Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    """The documented keys and the summary."""
    analysis = tfn.analyze_model(net, image)
    assert set(analysis) == {
        "percent_supported", "supported_count", "total_count", "supported_operators", "unsupported_operators",
        "operators", "operator_count",
    }  # fmt: skip
    assert analysis["percent_supported"] == 100.0
    assert {"Conv2D", "MatMul"} <= analysis["supported_operators"]
    assert analysis["total_count"] == sum(analysis["operator_count"].values())
    assert "100.00% of all operations" in capsys.readouterr().out
