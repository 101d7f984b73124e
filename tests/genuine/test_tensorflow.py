"""SPEC K6: SavedModels of tensorflow-neuron load through the ordinary calls, are placed by their own NC count, and give
the numbers of the graph that they hold."""

from __future__ import annotations

import _thread
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

import neuron_adapters
import neuron_adapters.tf as tfn
import neuron_rt
from neuron_rt import ArtifactError, CompileError, NotEnoughNeuronCoresError

from saved_models import Spec, edited, neuron_op, nodes_of, save, save_v1  # isort: skip

RNG = np.random.default_rng(5)
ASKED = np.array([[1.0, 2.0, 5.0]], "f4")
load_keras, load = tf.keras.models.load_model, tf.saved_model.load


def for_cores(count: int) -> Callable[[Any], None]:
    def edit(node: Any) -> None:
        binary = bytearray(node.attr["executable"].s)
        struct.pack_into("<I", binary, 168, count)
        struct.pack_into("<I", binary, 476, count)
        node.attr["executable"].s = bytes(binary)

    return edit


def plainly(simple: Path, x: np.ndarray) -> np.ndarray:
    """What plain TensorFlow makes of the graph in the file, one row at a time."""
    (node,) = nodes_of(saved_model_pb2.SavedModel.FromString((simple / "saved_model.pb").read_bytes()))
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_pb2.GraphDef.FromString(node.attr["graph_def"].s), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return np.concatenate([session.run("Identity:0", {"args_00/_0:0": row[None]}) for row in x])


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_both_loads(simple: Path, rows: int) -> None:
    """The numbers of plain TensorFlow, for a batch other than the compiled one too, whatever is called."""
    x = RNG.random((rows, 3), dtype=np.float32)
    wanted = plainly(simple, x)
    model, restored = load_keras(simple), load(str(simple))
    assert isinstance(model, keras.Model)
    assert model.on_neuron_ratio == restored.on_neuron_ratio == 1.0
    outputs = [
        model(x),
        model(tf.constant(x)),
        model.predict(x, verbose=0),
        model.signatures["serving_default"](tf.constant(x)),
        restored(tf.constant(x)),
        restored.signatures["serving_default"](tf.constant(x)),
        restored.aws_neuron_function(tf.constant(x)),
        model.aws_neuron_function(tf.constant(x)),
    ]
    for output in outputs:
        np.testing.assert_allclose(
            output["output_1"] if isinstance(output, dict) else output, wanted, rtol=1e-5, atol=1e-6
        )
    assert [row.calls for row in neuron_adapters.describe().models] == [5, 3]  # all of them on the NCs


def test_the_question_of_its_authors(simple: Path) -> None:
    weights = np.frombuffer(
        bytes.fromhex("e0a910bf109403 3f68bba83e0098 1bbf00b1e8bdd0a6143f28e464bf00895f3c8881773f".replace(" ", "")),
        "<f4",
    )
    assert weights.shape == (9,)
    output = np.asarray(load_keras(simple)(ASKED))
    assert output.shape == (1, 3)
    np.testing.assert_allclose(output, [[-6.2512, 0.35495782, 6.324997]], rtol=1e-5)
    np.testing.assert_allclose(output, ASKED @ weights.reshape(3, 3), rtol=1e-5)


def test_the_graph_shows_the_operator(simple: Path) -> None:
    """Scripts look for the NeuronOp and its attributes, in memory and after saving again."""
    for model in (load_keras(simple), load(str(simple))):
        (node,) = [node for node in model.aws_neuron_function.graph.as_graph_def().node if node.op == "NeuronOp"]
        assert {"executable", "graph_def", "model_config", "input_names", "output_names", "input_dtypes"} <= set(
            node.attr
        )
        assert list(node.attr["model_config"].list.i) == [1, 1, 4, 10]
        assert struct.unpack("168xI304xI64B", node.attr["executable"].s[:544])[:3] == (1, 1, 1)


def test_saved_again(simple: Path, tmp_path: Path) -> None:
    """What is saved again is still what the compiler wrote."""
    restored = load(str(simple))
    tf.saved_model.save(restored, str(tmp_path / "a"), signatures=dict(restored.signatures))
    load_keras(simple).save(str(tmp_path / "b"))
    before = nodes_of(saved_model_pb2.SavedModel.FromString((simple / "saved_model.pb").read_bytes()))
    for name in "ab":
        after = nodes_of(saved_model_pb2.SavedModel.FromString((tmp_path / name / "saved_model.pb").read_bytes()))
        assert {node.attr["executable"].s for node in after} == {before[0].attr["executable"].s}
        np.testing.assert_allclose(
            load(str(tmp_path / name)).signatures["serving_default"](tf.constant(ASKED))["output_1"],
            plainly(simple, ASKED),
            rtol=1e-5,
        )


@pytest.mark.parametrize(("cores", "places"), [(1, [(0, 1), (1, 1), (2, 1), (3, 1)]), (3, [(0, 3)])])
def test_placed_by_its_own_count(simple: Path, tmp_path: Path, cores: int, places: list[tuple[int, int]]) -> None:
    file = edited(simple, tmp_path / "m", for_cores(cores))
    for open_it in (load_keras, load):
        model = open_it(str(file))
        assert [(place.start_nc, place.nc_count) for place in neuron_adapters.placement(model)] == places
        assert neuron_adapters.describe().models[0].why.startswith("compiled for the hardware")
        neuron_adapters.unload(model)


def test_more_ncs_than_there_are(simple: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_RT_NUM_CORES", "2")
    with pytest.raises(NotEnoughNeuronCoresError):
        load_keras(edited(simple, tmp_path / "m", for_cores(3)))
    assert neuron_adapters.describe().models == ()


def test_multicore_tag(simple: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SPEC R3, as tf-neuron-auto-multicore writes it, into a copy of the compiler's own file."""
    from neuron_adapters.tools import auto_multicore

    target = str(tmp_path / "six")
    assert auto_multicore.main([str(simple), "--num_cores", "6", "--new_model_dir", target]) == 0
    assert "6 NeuronCore(s) in turn" in capsys.readouterr().out
    restored = load(target)
    assert len(neuron_adapters.placement(restored)) == 6
    (node,) = [node for node in restored.aws_neuron_function.graph.as_graph_def().node if node.op == "NeuronOp"]
    assert node.attr["_automatic_multicore"].i == 6
    np.testing.assert_allclose(restored(tf.constant(ASKED)), plainly(simple, ASKED), rtol=1e-5)
    pair = edited(simple, tmp_path / "two", for_cores(2))
    assert auto_multicore.main([str(pair), "--num_cores", "2", "--new_model_dir", target]) == 1
    assert "pipeline cores" in capsys.readouterr().err


def test_compiled_again(simple: Path, tmp_path: Path) -> None:
    """What is compiled is not compiled again, and can be replicated."""
    for model in (load_keras(simple), load(str(simple))):
        with pytest.raises(CompileError, match="compiled already"):
            tfn.trace(model, ASKED)
        many = tfn.auto_multicore(model, ASKED, num_cores=5)
        np.testing.assert_allclose(many(ASKED), plainly(simple, ASKED), rtol=1e-5)
        assert isinstance(many, keras.Model)
        assert len(neuron_adapters.placement(many)) == 5
        neuron_adapters.unload(many)
    with pytest.raises(CompileError, match="2 pipeline cores"):
        tfn.auto_multicore(load(str(edited(simple, tmp_path / "two", for_cores(2)))), ASKED, num_cores=2)


def test_wherever_tensorflow_runs_it(simple: Path) -> None:
    """In a larger function, in a pipeline of data, in a session of TensorFlow 1: there it is an operator."""
    restored, x = load(str(simple)), RNG.random((4, 3), dtype=np.float32)
    wanted = plainly(simple, x)
    np.testing.assert_allclose(tf.function(lambda v: restored(v) + 1)(x), wanted + 1, rtol=1e-5)
    rows = tf.data.Dataset.from_tensor_slices(x).batch(2).map(lambda v: restored(v))
    np.testing.assert_allclose(np.concatenate(list(rows.as_numpy_iterator())), wanted, rtol=1e-5)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(simple))
        output = session.run("StatefulPartitionedCall:0", {"serving_default_input_1:0": x})
    np.testing.assert_allclose(output, wanted, rtol=1e-5)


def test_exit(script: Callable[..., str], simple: Path) -> None:
    """SPEC X4: a process ends cleanly while TensorFlow still holds operators and pipelines, and is in a call."""
    assert script("exit_in_a_call.py", simple) == "(1, 3)\n"


def test_the_end_waits_for_calls() -> None:
    """SPEC X4: no call of the operator is under way when Python ends, and none begins."""
    from neuron_adapters.tf._operator import _Ending

    ending, said = _Ending(), []
    with ending:
        closing = threading.Thread(target=ending.close)
        closing.start()
        while not ending._closed:
            pass
        assert ending._inside == 1
        assert closing.is_alive()
    closing.join(60)
    assert not closing.is_alive()
    assert ending._inside == 0
    done = threading.Event()

    def foreign() -> None:
        try:
            with ending:
                said.append("in")
        except RuntimeError as error:
            said.append(str(error))
        done.set()

    _thread.start_new_thread(foreign, ())  # as TensorFlow's threads are: not Python's own
    assert done.wait(60)
    assert said == ["the process ends, and no NeuronOp begins any more"]


def test_threads(simple: Path) -> None:
    model, x = load_keras(simple), RNG.random((5, 3), dtype=np.float32)
    wanted, wrong = plainly(simple, x), []

    def call() -> None:
        for _ in range(20):
            if not np.allclose(model(x), wanted, rtol=1e-5):
                wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert neuron_adapters.describe().models[0].calls == 80


def test_checksum(simple: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K4: of the binary, where it is asked for."""

    def flip(node: Any) -> None:
        binary = bytearray(node.attr["executable"].s)
        binary[1500] ^= 1
        node.attr["executable"].s = bytes(binary)

    file = edited(simple, tmp_path / "m", flip)
    load(str(file))
    neuron_rt.init().close()
    monkeypatch.setenv("NEURON_RT_VALIDATE_HASH", "true")
    load_keras(simple)
    for open_it in (load_keras, lambda path: load(str(path))):
        with pytest.raises(ArtifactError, match="the checksum in the header is not that of the content"):
            open_it(file)


def two_parts() -> tuple[list[Any], Callable[..., Any]]:
    """Two NeuronOps of other types, the second on what the first returns; and what they compute."""
    first = lambda x: (x * 2.0, tf.cast(tf.argmax(x, axis=1), tf.int32))
    second = lambda x, k: tf.cast(tf.cast(x, tf.float16) + tf.cast(k, tf.float16)[:, None], tf.float32)
    nodes = [
        neuron_op("part_0", first, [Spec([2, 3])], ["x"], cores=2),
        neuron_op("part_1", second, [Spec([2, 3]), Spec([2], tf.int32)], ["part_0", "part_0:1"], cores=3),
    ]  # fmt: skip
    return nodes, lambda x: second(*first(x))


def test_several_operators_and_a_variable(tmp_path: Path) -> None:
    """Other types, casts, a variable beside them that changes, two signatures."""
    nodes, both = two_parts()
    scale = tf.Variable(10.0)
    path = save(tmp_path / "m", {"x": Spec([2, 3])}, nodes, ["part_1:0", "part_0:1"], scale=scale,
                finish=lambda results: [results[0] * scale, results[1]])  # fmt: skip
    x = RNG.random((2, 3), dtype=np.float32)
    restored = load(str(path))
    assert neuron_adapters.placement(restored)[0].nc_count == 3
    for factor in (10.0, 3.0):
        restored.scale.assign(factor)
        value, index = restored(tf.constant(x))
        np.testing.assert_allclose(value, both(x) * factor, rtol=1e-3)
        assert index.dtype == tf.int32
        assert np.array_equal(index, x.argmax(1))
        for key in ("serving_default", "again"):
            np.testing.assert_allclose(
                restored.signatures[key](x=tf.constant(x))["output_0"], both(x) * factor, rtol=1e-3
            )
    model = load_keras(path)
    np.testing.assert_allclose(model(x)[0], both(x) * 10, rtol=1e-3)
    assert len(model.weights) == 1


def test_tensorflow_1(tmp_path: Path) -> None:
    """A SavedModel of tf.neuron.saved_model.compile: its graph shows the operators, as checking scripts read them."""
    nodes, both = two_parts()
    path = save_v1(tmp_path / "m", {"x": Spec([2, 3])}, nodes, {"y": "part_1:0"})
    x = RNG.random((2, 3), dtype=np.float32)
    restored, model = load(str(path)), load_keras(path)
    operators = [node for node in restored.graph.as_graph_def().node if node.op == "NeuronOp"]
    assert [struct.unpack("168xI304xI64B", node.attr["executable"].s[:544])[0] for node in operators] == [2, 3]
    graphs = [graph_pb2.GraphDef.FromString(operator.attr["graph_def"].s) for operator in operators]
    inner = [node.op for graph in graphs for node in graph.node]
    assert {"Mul", "ArgMax", "AddV2"} <= set(inner)
    assert neuron_adapters.placement(restored)[0].nc_count == neuron_adapters.placement(model)[0].nc_count == 3
    for y in (restored.signatures["serving_default"](x=tf.constant(x))["y"], model({"x": x})["y"]):
        np.testing.assert_allclose(y, both(x), rtol=1e-3)
    wanted = both(x)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.loader.load(session, ["serve"], str(path))
        assert sum(operation.type == "NeuronOp" for operation in session.graph.get_operations()) == 2
        np.testing.assert_allclose(session.run("part_1:0", {"x:0": x}), wanted, rtol=1e-3)


@pytest.mark.parametrize("rows", [0, 1, 2, 4, 5])
def test_a_graph_with_its_batch_in_it(tmp_path: Path, rows: int) -> None:
    """Compiled for a batch of 2 that may vary: pieces of 2, filled up with zeros, as the hardware ran them. The graph
    has the batch in a constant, and mixes the rows of a piece, so that nothing else gives these numbers."""
    function = lambda x, y: (tf.reshape(x, [2, 6]) + tf.reduce_max(y, axis=0), y * 2.0)
    node = neuron_op("n", function, [Spec([2, 3, 2]), Spec([2, 6])], ["x", "y"], batched=True)
    path = save(tmp_path / "m", {"x": Spec([None, 3, 2]), "y": Spec([None, 6])}, [node], ["n:0", "n:1"])
    x, y = RNG.random((rows, 3, 2), dtype=np.float32), RNG.random((rows, 6), dtype=np.float32)
    filled = [np.concatenate([array, np.zeros((-rows % 2, *array.shape[1:]), "f4")]) for array in (x, y)]
    pieces = [function(*(array[at : at + 2] for array in filled)) for at in range(0, rows, 2)]
    wanted = [np.concatenate(column)[:rows] for column in zip(*pieces)] if pieces else [np.zeros((0, 6))] * 2
    restored = load(str(path))
    for call in (restored, tf.function(lambda *arrays: restored(*arrays))):
        for output, expected in zip(call(tf.constant(x), tf.constant(y)), wanted):
            np.testing.assert_allclose(output, expected, rtol=1e-5)


def test_wrong_shapes(tmp_path: Path, simple: Path) -> None:
    """One error of TensorFlow's own, also from the operator itself."""
    fixed = load(str(save(tmp_path / "m", {"x": Spec([None, 3])},
                          [neuron_op("n", lambda x: x + 1, [Spec([2, 3])], ["x"])], ["n:0"])))  # fmt: skip
    np.testing.assert_allclose(fixed(tf.zeros((2, 3))), 1)
    for call in (fixed, tf.function(lambda x: fixed(x))):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[3,3\]"):
            call(tf.zeros((3, 3)))
    node = neuron_op("n", lambda x, y: x + y, [Spec([2, 3])] * 2, ["x", "y"], batched=True)
    pair = load(str(save(tmp_path / "p", {"x": Spec([None, 3]), "y": Spec([None, 3])}, [node], ["n:0"])))
    with pytest.raises(tf.errors.InvalidArgumentError):
        pair(tf.zeros((4, 3)), tf.zeros((2, 3)))


BIG = RNG.random((64, 64)).astype("f4")


def erase(graph: Any) -> None:
    for node in graph.node:
        if node.op == "Const" and node.ByteSize() > 1024:
            node.attr["value"].tensor.tensor_content = b""


def test_weights_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC K5: replicas and loads hold the large constants of a graph once."""
    node = neuron_op("n", lambda x: x @ tf.constant(BIG), [Spec([1, 64])], ["x"], batched=True)
    path = save(tmp_path / "m", {"x": Spec([None, 64])}, [node], ["n:0"])
    x = RNG.random((3, 64), dtype=np.float32)
    models = [load(str(path)), load(str(path))]
    for model in models:
        np.testing.assert_allclose(model(tf.constant(x)), x @ BIG, rtol=1e-4)
    held = [neuron_adapters.tf._placed.placed_of(model).aws_compiled.graphs for model in models]
    assert len({id(graph) for graphs in held for graph in graphs}) == 1
    assert len(held[0][0].constants) == 1


def test_erased_constants(tmp_path: Path) -> None:
    """Some releases of the compiler took large constants out: never zeros in their place, but an error that says so. A
    graph that has some large constant whole was left as it is, and what is empty there is zeros."""
    whole = lambda x: x @ tf.constant(BIG) + tf.constant(BIG)[:1]
    path = save(
        tmp_path / "m", {"x": Spec([1, 64])}, [neuron_op("n", whole, [Spec([1, 64])], ["x"], change=erase)], ["n:0"]
    )
    for open_it in (load_keras, load):
        with pytest.raises(
            ArtifactError, match=r"took the large constants out of its graph \(such as '.*'\).*Compile the original"
        ):
            open_it(str(path))
    assert neuron_adapters.describe().models == ()

    def one_of_zeros(graph: Any) -> None:
        large = [node for node in graph.node if node.op == "Const" and node.ByteSize() > 1024]
        assert len(large) == 2
        large[0].attr["value"].tensor.tensor_content = b""

    node = neuron_op("n", whole, [Spec([1, 64])], ["x"], change=one_of_zeros)
    output = load(str(save(tmp_path / "z", {"x": Spec([1, 64])}, [node], ["n:0"])))(tf.ones((1, 64)))
    assert np.allclose(output, BIG[:1], rtol=1e-4) or np.allclose(output, BIG.sum(0), rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda g: g.node.add(name="w", op="WriteFile", input=["x", "x"]), "holds the operator 'WriteFile' .node 'w'."),
        (lambda g: g.node.add(name="x", op="Const"), "two of its nodes have one name"),
        (lambda g: g.node[0].__setattr__("op", "NoSuchOperator"), "holds the operator 'NoSuchOperator'"),
        (lambda g: g.node[-1].input.__setitem__(0, "nobody"), "cannot be used|outputs"),
        (lambda g: g.Clear(), "inputs"),
    ],
)
def test_graphs_that_make_no_sense(tmp_path: Path, change: Callable[[Any], Any], says: str) -> None:
    node = neuron_op("n", lambda x: x + 1.0, [Spec([1, 3])], ["x"], change=lambda graph: change(graph) and None)
    path = save(tmp_path / "m", {"x": Spec([1, 3])}, [node], ["n:0"])
    with pytest.raises(ArtifactError, match=says):
        load(str(path))


def test_legacy_keras(script: Callable[..., str], simple: Path) -> None:
    """Keras 2, which such files are from: the model it revives."""
    assert script("legacy_keras.py", simple, imported=True, TF_USE_LEGACY_KERAS="1").splitlines() == [
        "AwsNeuronModel True 4", "[[-6.2512, 0.355, 6.325]]", "[[-6.2512, 0.355, 6.325], [-0.6078, -0.1136, 0.5807]]",
        "['Placeholder', 'NeuronOp', 'IdentityN']", "2",
    ]  # fmt: skip
