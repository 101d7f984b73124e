"""SPEC K2, X2, H2: what load_model returns is Keras' own, and answers as plain Keras does, from its NeuronCores."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import neuron_adapters
from neuron_rt import ArtifactError, CompileError, ModelNotLoadedError

load = tf.keras.models.load_model
RNG = np.random.default_rng(3)


def reloaded(model: Any, folder: Path, **how: Any) -> Any:
    model.save(folder / "model.keras")
    return load(folder / "model.keras", **how)


def calls() -> int:
    return sum(model.calls for model in neuron_adapters.describe().models)


def same(actual: Any, expected: Any) -> None:
    actual, expected = tf.nest.flatten(actual), tf.nest.flatten(expected)
    assert len(actual) == len(expected)
    for left, right in zip(actual, expected):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["plain.keras", "plain.h5"])
def test_formats(models: Path, net: Any, image: tf.Tensor, name: str) -> None:
    """Formats of the issue; a real keras.Model."""
    model = load(models / name, compile=False)
    assert isinstance(model, keras.Sequential)
    assert type(model) is keras.Sequential
    same(model(image), net(image))
    assert calls() == 1
    assert len(neuron_adapters.placement(model)) == 4


def test_only_compiled_models_take_ncs(
    monkeypatch: pytest.MonkeyPatch, models: Path, net: Any, image: tf.Tensor, tmp_path: Path
) -> None:
    """SPEC K2: with NEURON_ADAPTERS_PLACE=compiled a model that was never compiled is the framework's own."""
    monkeypatch.setenv("NEURON_ADAPTERS_PLACE", "compiled")
    tf.saved_model.save(net, tmp_path / "plain")
    model, saved_model = load(models / "plain.keras", compile=False), tf.saved_model.load(tmp_path / "plain")
    same(model(image), net(image))
    (result,) = saved_model.signatures["serving_default"](image).values()
    same(result, net(image))
    assert neuron_adapters.placement(model) == neuron_adapters.placement(saved_model) == ()
    assert len(neuron_adapters.placement(tf.saved_model.load(models / "k2"))) == 1


def test_same_bits(script: Callable[..., str], models: Path) -> None:
    """SPEC K2: bit for bit what plain Keras gives with as many threads: here one CPU, so one thread."""
    assert script("same_bits.py", imported=True) == "same\n"


def test_predict(net: Any, image: tf.Tensor, models: Path) -> None:
    """predict, predict_on_batch: on the NCs, whatever the data are; results as plain Keras'."""
    model = load(models / "plain.keras")
    many = RNG.random((70, 8, 8, 3))
    expected = net.predict(many, verbose=0)
    data = tf.data.Dataset.from_tensor_slices(many.astype("f4")).batch(16)
    before = calls()
    for actual in (
        model.predict(many, verbose=0),
        model.predict(many.astype("f4"), verbose=0, batch_size=13),
        model.predict(many, verbose=2),
        model.predict(data, verbose=0),
        model.predict(data, verbose=0, steps=5, callbacks=[keras.callbacks.Callback()]),
    ):
        same(actual, expected)
    assert calls() - before == 3 + 6 + 3 + 5 + 5
    same(model.predict_on_batch(image), net.predict_on_batch(image))
    assert type(model.predict_on_batch(image)) is np.ndarray


def test_keras_own(net: Any, image: tf.Tensor, models: Path, tmp_path: Path, capsys: Any) -> None:
    """summary, layers, weights, save, clone, use in another model and in a tf.function: all still work."""
    model = load(models / "plain.keras")
    model(image)
    model.summary()
    assert "conv2d" in capsys.readouterr().out
    assert [type(layer) for layer in model.layers] == [type(layer) for layer in net.layers]
    same(model.get_weights(), net.get_weights())
    model.save(tmp_path / "again.keras")
    same(load(tmp_path / "again.keras")(image), net(image))
    twin = keras.models.clone_model(model)
    assert neuron_adapters.placement(twin) == ()
    entry = keras.Input((8, 8, 3))
    larger = keras.Model(entry, keras.layers.Softmax()(model(entry)))
    same(larger(image), tf.nn.softmax(net(image)))
    same(tf.function(lambda x: model(x) * 2)(image), net(image) * 2)
    same(keras.Model(model.inputs, model.layers[0].output)(image), net.layers[0](image))


def test_evaluate_and_train(image: tf.Tensor, tmp_path: Path, net: Any) -> None:
    """DESIGN 6: training is Keras' own, and its weights show in the next call."""
    model = reloaded(keras.models.clone_model(net), tmp_path)
    model.compile("sgd", "mse")
    x, y = RNG.random((32, 8, 8, 3)), RNG.random((32, 5))
    before = model(image).numpy()
    model.fit(x, y, epochs=2, verbose=0)
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.compile("sgd", "mse")
    assert not np.allclose(model(image), before)
    same(model(image), twin(image))
    same(model.evaluate(x, y, verbose=0), twin.evaluate(x, y, verbose=0))
    model.train_on_batch(x, y)
    twin.set_weights(model.get_weights())
    same(model.predict(image, verbose=0), twin.predict(image, verbose=0))


def test_every_way_to_change_a_weight(image: tf.Tensor, tmp_path: Path) -> None:
    """DESIGN 6: also by functions that were traced before or after the first call."""
    model = reloaded(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), tmp_path)
    kernel = model.layers[0].kernel
    x = tf.constant([[1.0, 2.0, 3.0]])

    @tf.function
    def before_the_first_call() -> None:
        kernel.assign(kernel + 1.0)

    before_the_first_call()

    def check() -> None:
        weights, bias = model.get_weights()
        same(model(x), x.numpy() @ weights + bias)

    check()
    before_the_first_call()
    check()

    @tf.function
    def after_the_first_call() -> None:
        kernel.value.assign_add(tf.ones_like(kernel.value))

    for change in (
        after_the_first_call,
        lambda: kernel.assign(tf.zeros((3, 2))),
        lambda: kernel.assign_add(tf.ones((3, 2))),
        lambda: kernel.value.scatter_nd_add([[0, 1]], [5.0]),
        lambda: tf.raw_ops.AssignAddVariableOp(resource=kernel.value.handle, value=tf.ones((3, 2))),
        lambda: model.set_weights([w + 1 for w in model.get_weights()]),
        before_the_first_call,
        after_the_first_call,
    ):
        change()
        check()
    model.save_weights(tmp_path / "w.weights.h5")
    kernel.assign(tf.zeros((3, 2)))
    check()
    model.load_weights(tmp_path / "w.weights.h5")
    check()


def test_gradients(net: Any, image: tf.Tensor, models: Path) -> None:
    """A call under a tape is Keras' own: gradients flow."""
    model = load(models / "plain.keras")
    model(image)
    gradients = []
    for network in (model, net):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(image, training=False) ** 2)
        gradients.append(tape.gradient(loss, network.trainable_variables))
    same(*gradients)


def test_training_flag(models: Path, image: tf.Tensor) -> None:
    """training=True drops out, and is no inference: it is not counted."""
    model = load(models / "plain.keras")
    assert not np.allclose(model(image, training=True), model(image, training=True))
    assert calls() == 0
    same(model(image, training=False), model(image))


def functional() -> tuple[keras.Model, Any]:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    total = keras.layers.Add()([a, b])
    model = keras.Model({"a": a, "b": b}, {"sum": total, "pair": [keras.layers.Dense(2)(a), b]})
    return model, {"a": RNG.random((3, 4), dtype="f4"), "b": RNG.random((3, 4), dtype="f4")}


def three_inputs() -> tuple[keras.Model, Any]:
    inputs = [keras.Input((3,)) for _ in range(3)]
    dense = [keras.layers.Dense(3)(tensor) for tensor in inputs]
    return keras.Model(inputs, [dense[0] + dense[1], dense[2], keras.layers.Softmax()(dense[0])]), [
        RNG.random((2, 3), dtype="f4") for _ in range(3)
    ]


def half() -> tuple[keras.Model, Any]:
    dense = keras.layers.Dense(4, dtype="float16")
    return keras.Sequential([keras.Input((3,), dtype="float16"), dense]), RNG.random((2, 3)).astype("f2")


def masked() -> tuple[keras.Model, Any]:
    layers = [keras.Input((6,)), keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.LSTM(3)]
    return keras.Sequential(layers), np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 0]])


@pytest.mark.parametrize("make", [functional, three_inputs, half, masked])
def test_structures(make: Callable[[], tuple[keras.Model, Any]], tmp_path: Path) -> None:
    """SPEC X2: dictionaries, lists, several outputs, float16, masks."""
    plain, x = make()
    model = reloaded(plain, tmp_path)
    expected = plain(x)
    actual = model(x)
    tf.nest.assert_same_structure(actual, expected)
    for left, right in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_allclose(left, right, rtol=2e-3 if make is half else 1e-5, atol=1e-6)
    same(model(tf.nest.map_structure(tf.constant, x)), actual)
    same(model.predict(x, verbose=0), plain.predict(x, verbose=0))
    assert calls() == 3


def test_sizes_share_a_graph(net: Any, models: Path) -> None:
    """Another batch is not another model: one graph serves all sizes."""
    model = load(models / "plain.keras")
    for rows in (1, 2, 5, 3, 1, 8):
        x = RNG.random((rows, 8, 8, 3), dtype="f4")
        same(model(x), net(x))
    assert len(vars(model)["_neuron_placed"]._relaxed) == 1
    same(model(x.astype("f8")), net(x.astype("f8")))


@keras.saving.register_keras_serializable("tests")
class Python(keras.layers.Layer):
    """Computes in Python, which no graph can."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, x: Any) -> Any:
        return tf.numpy_function(lambda a: a * 2, [x], tf.float32) if not tf.executing_eagerly() else x.numpy() * 2


@keras.saving.register_keras_serializable("tests")
class Counter(keras.layers.Layer):
    """Changes a variable at each call."""

    def build(self, _shape: Any) -> None:
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x + self.count


@keras.saving.register_keras_serializable("tests")
class Noise(keras.layers.Layer):
    """Answers differently each time."""

    def call(self, x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x))


@pytest.mark.parametrize("layer", [Python, Counter, Noise])
def test_python_code_of_ones_own(layer: Any, tmp_path: Path) -> None:
    """It may read anything, so Keras' own call runs, on the NCs, with the reason."""
    model = reloaded(keras.Sequential([keras.Input((2,)), layer()]), tmp_path)
    first, second = model(np.ones((1, 2), "f4")), model(np.ones((1, 2), "f4"))
    assert np.array_equal(first, second) == (layer is Python)
    if layer is Counter:
        assert float(second[0, 0] - first[0, 0]) == 1.0
    (report,) = neuron_adapters.describe().models
    assert report.calls == 2
    assert f"{layer.__name__}.call is Python code of yours" in report.why


@pytest.mark.parametrize("generation", ["0", "1"])
def test_edits_show_in_the_next_call(generation: str, script: Callable[..., str]) -> None:
    """K2: however a loaded model is edited, it answers as an edited model that was never placed; most models still run
    as graphs after it."""
    out = script("edits_show_in_the_next_call.py", 0, 12, imported=True, TF_USE_LEGACY_KERAS=generation)
    assert int(out) >= 4


@pytest.mark.parametrize("generation", ["0", "1"])
def test_what_is_not_understood_is_left_alone(generation: str, script: Callable[..., str]) -> None:
    """H2: modules, tables, and variables on several devices."""
    out = script("what_is_not_understood_is_left_alone.py", imported=True, TF_USE_LEGACY_KERAS=generation)
    assert out.endswith("done\n")


@pytest.mark.parametrize("generation", ["0", "1"])
def test_wrong_shapes_are_the_models_own_errors(generation: str, script: Callable[..., str]) -> None:
    """X2: after good shapes of two sizes, too."""
    out = script("wrong_shapes_are_the_models_own_errors.py", imported=True, TF_USE_LEGACY_KERAS=generation)
    assert out == "done\n"


def test_spellings_of_keras_2(script: Callable[..., str]) -> None:
    """Scripts for Keras 2 save and feed their models under Keras 3."""
    assert script("spellings_of_keras_2.py", imported=True) == "done\n"


def test_what_cannot_be_separated(tmp_path: Path) -> None:
    """Left to Keras' own call, on the NCs, with the reason."""
    layer = keras.layers.StringLookup(vocabulary=["a", "b"])
    model = reloaded(keras.Sequential([keras.Input((1,), dtype="string"), layer]), tmp_path)
    for _ in range(2):
        assert model(tf.constant([["b"], ["c"]])).numpy().tolist() == [[2], [0]]
    (report,) = neuron_adapters.describe().models
    assert report.calls == 2
    assert "LookupTableFind" in report.why


def test_errors_are_the_models_own(models: Path, net: Any) -> None:
    """SPEC X2: exceptions pass unchanged."""
    model = load(models / "plain.keras")
    for network in (net, model):
        with pytest.raises(ValueError, match="incompatible"):
            network(np.ones((1, 4, 4, 3), "f4"))
    (report,) = neuron_adapters.describe().models
    assert report.errors == 1


def test_release(models: Path, image: tf.Tensor) -> None:
    """SPEC P6: a model that nobody has any more frees its place; an unloaded one says so."""
    kept = load(models / "plain.keras")
    gone = load(models / "plain.keras")
    gone(image)
    assert [place.start_nc for place in neuron_adapters.placement(gone)] == [4, 5, 6, 7]
    del gone
    again = load(models / "plain.keras")
    assert [place.start_nc for place in neuron_adapters.placement(again)] == [4, 5, 6, 7]
    neuron_adapters.unload(again)
    with pytest.raises(ModelNotLoadedError):
        again(image)
    gc.collect()
    assert neuron_adapters.placement(again) == ()
    assert neuron_adapters.placement(kept)


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.ones((3, 2)))

    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def __call__(self, x: Any) -> Any:
        return x @ self.kernel

    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def twice(self, x: Any) -> Any:
        return {"twice": 2 * x @ self.kernel}


def saved_by_module(path: Path) -> Any:
    module = Module()
    tf.saved_model.save(module, str(path), signatures=module.twice)
    return module


def saved_by_tensorflow(path: Path) -> Any:
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2)])
    tf.saved_model.save(model, str(path))
    return model


def saved_by_export(path: Path) -> Any:
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2)])
    model.export(path, verbose=False)
    return model


def saved_by_name(path: Path) -> Any:
    model = keras.Sequential([keras.layers.Input(3, name="x"), keras.layers.Dense(2)])
    model.save(path)
    return model


def saved_by_keras_2(path: Path) -> Any:
    import tf_keras

    layers = [tf_keras.layers.Input(3, name="x"), tf_keras.layers.Dropout(0.5), tf_keras.layers.Dense(2)]
    model = tf_keras.Sequential(layers)
    model.save(path, save_format="tf")
    return model


SAVED = [saved_by_module, saved_by_tensorflow, saved_by_export, saved_by_name, saved_by_keras_2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tf_keras")
@pytest.mark.parametrize("save", SAVED)
def test_saved_models(save: Callable[[Path], Any], tmp_path: Path) -> None:
    """load_model opens what Keras 3 alone refuses, as a keras.Model."""
    original = save(tmp_path / "saved")
    model = load(tmp_path / "saved")
    x = RNG.random((4, 3), dtype="f4")
    assert isinstance(model, keras.Model)
    expected = original(x)
    for actual in (model(x), model(tf.constant(x)), model(x.astype("f8")), model.predict(x, verbose=0)):
        same(actual, expected)
    assert calls() == 4
    assert sum(w.size for w in model.get_weights()) in (6, 8)
    assert "params" in str(model.count_params()) + "params"
    model.set_weights([w + 1 for w in model.get_weights()])
    changed = model(x)
    assert not np.allclose(changed, expected)
    model.save(tmp_path / "again")
    same(load(tmp_path / "again")(x), changed)
    with pytest.raises(CompileError, match="directory"):
        model.save(tmp_path / "model.keras")
    entry = keras.Input((3,))
    same(keras.Model(entry, model(entry))(x), changed)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tf_keras")
@pytest.mark.parametrize("save", SAVED)
def test_tf_saved_model_load(save: Callable[[Path], Any], tmp_path: Path) -> None:
    """tf.saved_model.load: the object's calls and its signatures run where it is placed."""
    original = save(tmp_path / "saved")
    restored = tf.saved_model.load(str(tmp_path / "saved"))
    x = tf.constant(RNG.random((4, 3), dtype="f4"))
    signature = restored.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    expected = 2 * original(x) if save is saved_by_module else original(x)
    same(signature(**{name: x}), expected)
    same(signature(x), expected)
    counted = 2
    if callable(restored):
        same(restored(x), original(x))
        counted = 3
    assert calls() == counted
    assert len(neuron_adapters.placement(restored)) == 4
    assert isinstance(signature, tf.types.experimental.ConcreteFunction)
    tf.saved_model.save(restored, str(tmp_path / "again"), signatures=restored.signatures["serving_default"])
    again = tf.saved_model.load(str(tmp_path / "again")).signatures["serving_default"]
    same(again(**{next(iter(again.structured_input_signature[1])): x}), expected)


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "no weights", "file"])
def test_damaged_saved_models(models: Path, tmp_path: Path, damage: str) -> None:
    """One clear error, nothing left allocated."""
    import shutil

    path = tmp_path / "broken"
    shutil.copytree(models / "k1", path)
    graph, weights = path / "saved_model.pb", path / "variables" / "variables.data-00000-of-00001"
    if damage == "empty":
        shutil.rmtree(path)
        path.mkdir()
    elif damage == "garbage":
        graph.write_bytes(b"\xff" * 999)
    elif damage == "cut":
        graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    elif damage == "no weights":
        weights.unlink()
    else:
        shutil.rmtree(path)
        path.write_bytes(b"not a directory")
    with pytest.raises(ValueError if damage == "file" else ArtifactError, match="broken") as raised:
        load(path)
    assert "\n" not in str(raised.value)
    assert neuron_adapters.describe().models == ()


def test_a_damaged_file_takes_no_place(models: Path, tmp_path: Path) -> None:
    """Keras' own error for Keras' own file."""
    (tmp_path / "bad.h5").write_bytes((models / "plain.h5").read_bytes()[:500])
    with pytest.raises(OSError, match="truncated"):
        load(tmp_path / "bad.h5")
    assert neuron_adapters.describe().models == ()
