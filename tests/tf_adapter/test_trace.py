"""SPEC K, R3: tensorflow.neuron.trace and auto_multicore, what they return and what travels through files."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow.neuron as tfn

import neuron_adapters
import neuron_rt
from neuron_rt import ArtifactError, CompileError, InputMismatchError, NotEnoughNeuronCoresError

load = tf.keras.models.load_model
RNG = np.random.default_rng(7)


def random(*shape: int, dtype: str = "float32") -> tf.Tensor:
    return tf.constant(RNG.random(shape), dtype)


def close(found: Any, expected: Any, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    """SPEC K3."""
    tf.nest.assert_same_structure(found, expected)
    for one, two in zip(tf.nest.flatten(found), tf.nest.flatten(expected)):
        assert one.dtype == two.dtype
        assert one.shape == two.shape
        np.testing.assert_allclose(tf.cast(one, "float64"), tf.cast(two, "float64"), rtol=rtol, atol=atol)


def neuron_ops(function: Any) -> list[Any]:
    return [op for op in function.graph.get_operations() if op.type == "NeuronOp"]


# -- what can be traced: how it is called, and what it says ----------------------------------------------------------


def three_in_five_out() -> tuple[Any, Any, Any]:
    inputs = [keras.layers.Input(3) for _ in range(3)]
    a, b, c = (keras.layers.Dense(3)(one) for one in inputs)
    total, other = a + b, a + c
    outputs = [keras.ops.sigmoid(total), total, other, keras.ops.tanh(other), keras.ops.sigmoid(other)]
    example = [random(1, 3) for _ in range(3)]
    return keras.Model(inputs, outputs), example, (example,)


def function_of_several() -> tuple[Any, Any, Any]:
    def func(a: Any, b: Any, c: Any) -> Any:
        return tf.nn.relu(a + b), tf.nn.sigmoid(b + c), a + b + c

    example = tuple(random(1, 8, 6) for _ in range(3))
    return func, example, example


def nested() -> tuple[Any, Any, Any]:
    def func(pair: Any, third: Any) -> Any:
        first, second = pair
        return {"sum": first + second, "more": (first * third, [second - third])}

    example = ([random(1, 8), random(1, 8)], random(1, 8))
    return func, example, example


def list_of_one() -> tuple[Any, Any, Any]:
    kernel = random(3, 3, 3, 8)

    def func(tensors: Any) -> Any:
        (tensor,) = tensors
        return tf.nn.conv2d(tensor, kernel, strides=1, padding="VALID")

    example = [random(1, 12, 12, 3)]
    return func, example, (example,)


def dictionary_by_name() -> tuple[Any, Any, Any]:
    def func(left: Any, right: Any) -> Any:
        return left @ right

    return func, {"left": random(2, 3), "right": random(3, 2)}, None


def dictionary_as_one() -> tuple[Any, Any, Any]:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": a + b, "first": keras.layers.Dense(2)(a)})
    example = {"a": random(1, 4), "b": random(1, 4)}
    return model, example, (example,)


def half_precision() -> tuple[Any, Any, Any]:
    kernel = random(3, 3, 3, 4, dtype="float16")

    def func(x: Any) -> Any:
        return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")

    example = random(1, 16, 16, 3, dtype="float16")
    return func, example, (example,)


def attention_layer() -> tuple[Any, Any, Any]:
    example = ([random(1, 8, 16), random(1, 5, 16), random(1, 5, 16)], [random(1, 8) > 0.5, random(1, 5) > 0.2])
    return keras.layers.Attention(), example, example


def a_tf_function() -> tuple[Any, Any, Any]:
    weight = tf.Variable(random(4, 2))
    example = random(3, 4)
    return tf.function(lambda x: tf.nn.softmax(x @ weight)), example, (example,)


def a_concrete_function() -> tuple[Any, Any, Any]:
    func, example, args = a_tf_function()
    concrete = func.get_concrete_function(tf.TensorSpec((3, 4)))
    concrete.keeps = func  # a function keeps no variable alive
    return concrete, example, args


def control_flow() -> tuple[Any, Any, Any]:
    def func(x: Any) -> Any:
        while tf.reduce_sum(x) < 100.0:
            x = x * 2.0
        return x

    example = random(2, 3)
    return func, example, (example,)


def recurrent() -> tuple[Any, Any, Any]:
    example = tf.constant(RNG.integers(0, 30, (2, 9)))
    layers = [keras.Input((9,)), keras.layers.Embedding(30, 8), keras.layers.LSTM(6), keras.layers.Dense(2)]
    return keras.Sequential(layers), example, (example,)


def image_network() -> tuple[Any, Any, Any]:
    example = random(1, 64, 64, 3)
    return keras.applications.MobileNetV2((64, 64, 3), weights=None, alpha=0.35), example, (example,)


CASES = [
    three_in_five_out, function_of_several, nested, list_of_one, dictionary_by_name, dictionary_as_one, half_precision,
    attention_layer, a_tf_function, a_concrete_function, control_flow, recurrent, image_network,
]  # fmt: skip


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
    results = signature(**{spec.name: one for spec, one in zip(names.values(), _in_order(names, restored, flat))})
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
    assert [one.start_nc for one in neuron_adapters.placement(second)] == [4, 5, 6, 7]


def test_checksums(models: Path, image: tf.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K4: one clear error for a changed byte; without the variable nobody looks."""
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
    for one in (load, lambda path: tf.saved_model.load(str(path))):
        with pytest.raises(ArtifactError, match="record of the compilation cannot be read"):
            one(tmp_path / "m")
    assert neuron_adapters.describe().models == ()


# -- inputs -----------------------------------------------------------------------------------------------------------


def test_wrong_inputs(models: Path, image: tf.Tensor) -> None:
    """What, where, expected, what to do; both the runtime's error and TensorFlow's."""
    model = load(models / "k1")
    for wrong, said in (
        ((image[:1, :4],), r"\[2, 8, 8, 3\] \(dimension 0 may vary\), got float32 of shape \[1, 4, 8, 3\]"),
        ((tf.cast(image, "float16"),), r"is float32 of shape \[2, 8, 8, 3\] \(dimension 0 may vary\), got float16"),
        ((image[:, :4],), r"got float32 of shape \[2, 4, 8, 3\]"),
        ((image, image), r"to be called with \(tensor\), got \(tensor, tensor\)"),
        ((), r"to be called with \(tensor\), got \(\)"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=said) as found:
            model(*wrong)
        assert isinstance(found.value, InputMismatchError)
        assert isinstance(found.value, ValueError)
    assert np.array_equal(model(image.numpy().astype("float64")), model(image))
    assert np.array_equal(model(inputs=image), model(image, training=False))


@pytest.mark.parametrize("engine", ["auto", "framework"])
def test_dynamic_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, net: Any, engine: str) -> None:
    """NEURON_CC_FLAGS=--dynamic-batch-size: dimension 0 varies, through save and load."""
    monkeypatch.setenv("NEURON_CC_FLAGS", "--dynamic-batch-size")
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    tfn.trace(net, random(3, 8, 8, 3)).save(tmp_path / "m")
    model = load(tmp_path / "m")
    for rows in (1, 2, 3, 4, 6, 7):
        x = random(rows, 8, 8, 3)
        close(model(x), net(x))
    with pytest.raises(InputMismatchError, match="dimension 0 may vary"):
        model(random(2, 8, 4, 3))
    with pytest.raises(CompileError, match="batch as dimension 0"):
        tfn.trace(lambda x: x * 2, tf.constant(1.0))


def normalised(x: Any) -> Any:
    return x - tf.reduce_mean(x, 0)


def branching(x: Any) -> Any:
    return x * 2 if x.shape[0] == 1 else x


def product(a: Any, b: Any) -> Any:
    return tf.matmul(a, b)


def halves(x: Any) -> Any:
    return tf.reshape(x, (2, -1))


def until_large(x: Any) -> Any:
    while tf.reduce_sum(x) < 100.0:
        x = x * 2.0
    return x


def total(x: Any) -> Any:
    return tf.reduce_sum(x)


def lazy(x: Any) -> Any:
    """Differs from the original where a row of the batch is large: slices would, too."""
    return x + tf.nn.relu(tf.reduce_max(x) - 50.0)


@pytest.mark.parametrize(("engine", "flags"), [("auto", ""), ("auto", "--dynamic-batch-size"), ("framework", "")])
@pytest.mark.parametrize("make", [three_in_five_out, nested, recurrent, attention_layer])
def test_other_batches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[], tuple[Any, Any, Any]], engine: str, flags: str
) -> None:
    """SPEC K3: a model that takes any batch does so when it is compiled, as with tensorflow-neuron, through save and
    load; the answers are the model's own."""
    monkeypatch.setenv("NEURON_CC_FLAGS", flags)
    monkeypatch.setenv("NEURON_ADAPTERS_ENGINE", engine)
    func, example, args = make()
    model = tfn.trace(func, example)
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    for rows in (1, 2, 3, 5):
        batch = tf.nest.map_structure(lambda leaf: tf.repeat(leaf[:1], rows, 0), args)
        expected = func(*batch)
        close(model(*batch), expected)
        close(loaded(*batch), expected)


@pytest.mark.parametrize("func", [normalised, lazy])
def test_rows_that_depend_on_each_other(monkeypatch: pytest.MonkeyPatch, func: Callable[..., Any]) -> None:
    """SPEC K3: such a batch is never sliced, also where the flag asks for it."""
    for flags in ("", "--dynamic-batch-size"):
        monkeypatch.setenv("NEURON_CC_FLAGS", flags)
        model = tfn.trace(func, random(2, 3))
        for rows in (1, 2, 3, 7):
            x = random(rows, 3) * 40
            x = tf.concat([x[:-1], x[-1:] * 4], 0)
            close(model(x), func(x))


@pytest.mark.parametrize(
    ("func", "example"),
    [(branching, (2, 3)), (product, (3, 3)), (halves, (2, 4)), (until_large, (2, 3)), (total, (2, 3))],
)
def test_one_batch_only(func: Callable[..., Any], example: tuple[int, ...]) -> None:
    """What takes other batches in another way, or not at all, is compiled for one."""
    arguments = (random(*example),) * (2 if func is product else 1)
    model = tfn.trace(func, arguments)
    close(model(*arguments), tf.function(func)(*arguments))
    for rows in (1, 4):
        with pytest.raises(InputMismatchError, match="--dynamic-batch-size"):
            model(*[random(rows, *example[1:])] * len(arguments))


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


# -- flags ------------------------------------------------------------------------------------------------------------


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
        assert [one.levelname for one in caplog.records if "TensorFlow runs it" in one.message] == ["WARNING"]
        assert neuron_adapters.describe().models[-1].engine == "tf"


# -- replicas ---------------------------------------------------------------------------------------------------------


def test_auto_multicore(models: Path, net: Any, image: tf.Tensor, tmp_path: Path) -> None:
    """SPEC R3: N replicas, calls in turn, through save and load; from a traced, a loaded and a restored model."""
    for model in (tfn.trace(net, image), load(models / "k1"), tf.saved_model.load(str(models / "k1")), net):
        many = tfn.auto_multicore(model, image, num_cores=6)
        for _ in range(12):
            close(many(image), net(image))
        assert [one.nc_count for one in neuron_adapters.placement(many)] == [1] * 6
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
        with pytest.raises(tf.errors.InvalidArgumentError) as found:
            tfn.auto_multicore(model, image, num_cores=wrong)
        assert found.value.args[0].startswith("Num of cores for auto multicore")
    with pytest.raises(CompileError, match="2 pipeline cores"):
        tfn.auto_multicore(load(models / "k2"), image, num_cores=2)
    with pytest.raises(NotEnoughNeuronCoresError):
        tfn.auto_multicore(model, image, num_cores=17)(image)


# -- the rest ---------------------------------------------------------------------------------------------------------


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
    found = tfn.analyze_model(net, image)
    assert set(found) == {
        "percent_supported", "supported_count", "total_count", "supported_operators", "unsupported_operators",
        "operators", "operator_count",
    }  # fmt: skip
    assert found["percent_supported"] == 100.0
    assert {"Conv2D", "MatMul"} <= found["supported_operators"]
    assert found["total_count"] == sum(found["operator_count"].values())
    assert "100.00% of all operations" in capsys.readouterr().out


def test_save_says_what_it_takes(models: Path, tmp_path: Path) -> None:
    """A compiled model is a graph: Keras files do not hold it."""
    model = load(models / "k1")
    for name in ("m.keras", "m.h5"):
        with pytest.raises(CompileError, match="SavedModel"):
            model.save(tmp_path / name)
    keras.models.save_model(model, tmp_path / "directory")
    assert (tmp_path / "directory" / "saved_model.pb").exists()
