"""SPEC F1: loading a file runs nothing of its graph."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

import neuron_adapters
import neuron_adapters.tf as tfn
import neuron_rt
from neuron_adapters.adapter.hooks import original
from neuron_adapters.files.inspect import look as inspect
from neuron_rt import ArtifactError

from file_graphs import function_of  # isort: skip
from saved_models import Spec, edited, neuron_op, save  # isort: skip

load_keras, load = tf.keras.models.load_model, tf.saved_model.load


# -- whole files ------------------------------------------------------------------------------------------------------


def constant(graph: Any, name: str, value: Any) -> str:
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = types_pb2.DT_STRING
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return name


def printing(graph: Any, folder: Path) -> Any:
    node = graph.node.add(name="evil", op="PrintV2", input=[constant(graph, "text", "echo evil")])
    node.attr["output_stream"].s = f"file://{folder}/written".encode()
    return node


def writing(graph: Any, folder: Path) -> Any:
    names = [constant(graph, "where", f"{folder}/written"), constant(graph, "text", "evil")]
    return graph.node.add(name="evil", op="WriteFile", input=names)


def reading(graph: Any, folder: Path) -> Any:
    node = printing(graph, folder)
    node.input[0] = graph.node.add(name="r", op="ReadFile", input=[constant(graph, "from", f"{folder}/secret")]).name
    return node


def debugging(graph: Any, folder: Path) -> Any:
    node = graph.node.add(name="evil", op="DebugIdentity", input=[constant(graph, "text", "evil")])
    node.attr["T"].type = types_pb2.DT_STRING
    node.attr["tensor_name"].s = b"a:0"
    node.attr["debug_urls"].list.s.append(f"file://{folder}/written".encode())
    return node


def caching(graph: Any, folder: Path) -> Any:
    names = [
        constant(graph, "text", ["evil"]),
        "tensors",
        constant(graph, "where", f"{folder}/written"),
        "cached",
        "evil",
    ]
    for name, op, inputs in (
        ("tensors", "TensorDataset", names[:1]),
        ("cached", "CacheDataset", names[1:3]),
        ("evil", "DatasetToSingleElement", names[3:4]),
    ):
        node = graph.node.add(name=name, op=op, input=inputs)
        node.attr["Toutput_types" if op == "TensorDataset" else "output_types"].list.type.append(types_pb2.DT_STRING)
        node.attr["output_shapes"].list.shape.add().dim.add().size = 1
    return node


ATTACKS = [printing, writing, reading, debugging, caching]


def within_functions(graph: Any, first: int) -> None:
    """Move the nodes from ``first`` on into a function of a function."""
    inner = function_of(graph, "inner")
    inner.node_def.extend(graph.node[first:])
    for node in inner.node_def:
        node.input[:] = [
            f"{name}:{'contents' if name == 'r' else 'handle' if name in ('tensors', 'cached') else 'output'}:0"
            for name in node.input
        ]
    del graph.node[first:]
    inner.control_ret["evil"] = inner.node_def[-1].name
    inner.signature.control_output.append("evil")
    inner.signature.is_stateful = True
    outer = function_of(graph, "outer")
    for nodes, name in ((outer.node_def, "inner"), (graph.node, "outer")):
        node = nodes.add(name="evil", op="StatefulPartitionedCall")
        node.attr["f"].func.name = name
        for empty in ("Tin", "Tout"):
            node.attr[empty].list.SetInParent()
    outer.control_ret["evil"] = "evil"
    outer.signature.control_output.append("evil")
    outer.signature.is_stateful = True


@contextlib.contextmanager
def nothing_opens(path: Path) -> Iterator[None]:
    """Fail where the process opens a file; the kernel tells."""
    library = ctypes.CDLL(None)
    watch = library.inotify_init1(os.O_NONBLOCK)
    assert watch >= 0
    assert library.inotify_add_watch(watch, os.fsencode(path), 0x20) >= 0
    try:
        yield
        with pytest.raises(BlockingIOError):
            os.read(watch, 4096)
    finally:
        os.close(watch)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_file_is_touched(simple: Path, tmp_path: Path, attack: Callable[..., Any], nested: bool) -> None:
    """Graphs that write and read files: neither of the loads takes them, nor does TensorFlow where it runs a NeuronOp
    itself."""
    (tmp_path / "secret").write_text("secret")

    def edit(node: Any) -> None:
        graph = graph_pb2.GraphDef.FromString(node.attr["graph_def"].s)
        first = len(graph.node)
        attack(graph, tmp_path)
        if nested:
            within_functions(graph, first)
        next(node for node in graph.node if node.op == "MatMul").input.append("^evil")
        node.attr["graph_def"].s = graph.SerializeToString()

    file = edited(simple, tmp_path / "m", edit)
    seen = inspect(str(file))
    assert not seen.runs_here
    assert "not known to only compute" in seen.how
    before = sorted(path.name for path in tmp_path.iterdir())
    with nothing_opens(tmp_path / "secret"):
        for open_it in (load_keras, lambda path: load(str(path))):
            with pytest.raises(
                ArtifactError, match=r"/m: NeuronOp '\w+': its graph may not run: it holds the operator '\w+' \(node"
            ):
                open_it(file)
        assert neuron_adapters.describe().models == ()
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.load(session, ["serve"], str(file))
            with pytest.raises(tf.errors.InvalidArgumentError, match="its graph may not run"):
                session.run("StatefulPartitionedCall:0", {"serving_default_input_1:0": np.ones((1, 3), "f4")})
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_no_file_is_read_for_the_sake_of_shapes(tmp_path: Path) -> None:
    """TensorFlow computes constant parts of a graph while it imports it, whatever it must open for that."""
    (tmp_path / "size").write_text("3")

    def shaped(x: Any) -> Any:
        return tf.reshape(x, [tf.strings.to_number(tf.io.read_file(str(tmp_path / "size")), tf.int32)])

    with nothing_opens(tmp_path):  # building the outer graph opens nothing in it yet
        node = neuron_op("n", lambda x: x + 1.0, [Spec([1, 3])], ["x"])
    graph = tf.function(shaped).get_concrete_function(Spec([1, 3])).graph.as_graph_def()
    node.attr["graph_def"].s = graph.SerializeToString()
    node.attr["output_shapes"].list.shape[0].CopyFrom(tf.TensorShape([3]).as_proto())
    file = save(tmp_path / "m", {"x": Spec([1, 3])}, [node], ["n:0"])
    with nothing_opens(tmp_path / "size"), pytest.raises(ArtifactError, match="holds the operator 'ReadFile'"):
        load(str(file))


def test_graphs_that_compute(tmp_path: Path) -> None:
    """What inference graphs hold runs as in plain TensorFlow: loops, branches, functions of functions, checks,
    lists."""
    double = tf.function(lambda x: x * 2.0)

    def computing(x: Any) -> Any:
        x = tf.debugging.check_numerics(x, "x")
        tf.debugging.assert_less(x, 1e6)
        steps = tf.constant(0)
        while steps < 3:
            x = x + double(tf.nn.relu(x))
            steps += 1
        x = x - 1.0 if tf.reduce_sum(x) > 0.0 else x + 1.0
        rows = tf.map_fn(lambda row: tf.cumsum(row), x)
        noise = tf.random.stateless_uniform(tf.shape(x), seed=[1, 2])
        kept = tf.image.non_max_suppression(
            tf.concat([x[:, :1], x[:, :1], x[:, :1] + 1.0, x[:, :1] + 1.0], 1), x[:, 0], 2
        )
        image = tf.image.resize(tf.reshape(x, [1, 2, 3, 1]), [4, 4])
        switched = tf.switch_case(steps - 2, [lambda: x, lambda: double(double(x)), lambda: -x])
        return (
            rows,
            noise,
            kept,
            image,
            switched,
            tf.abs(tf.signal.rfft(x)),
            tf.quantization.fake_quant_with_min_max_args(x),
        )

    node = neuron_op("n", computing, [Spec([2, 3])], ["x"])
    node.attr["output_names"].list.s[:] = [b"Identity:0", *(b"Identity_%d:0" % index for index in range(1, 7))]
    path = save(tmp_path / "m", {"x": Spec([2, 3])}, [node], [f"n:{index}" for index in range(7)])
    x = tf.random.stateless_uniform([2, 3], seed=[3, 4])
    restored = load(str(path))
    for outputs in (restored(x), tf.function(lambda value: restored(value))(x)):
        for output, wanted in zip(outputs, tf.function(computing)(x)):
            np.testing.assert_allclose(output, wanted, rtol=1e-5, atol=1e-6)
    assert neuron_adapters.describe().models[0].calls == 1


def test_layers_that_keep_a_state(tmp_path: Path) -> None:
    """A recurrent layer, frozen as the compiler freezes it: functions, a loop, and what only its training would
    call."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = tf.keras.Sequential([tf.keras.Input((4, 3)), tf.keras.layers.LSTM(5), tf.keras.layers.BatchNormalization()])
    frozen = convert_variables_to_constants_v2(
        tf.function(lambda x: model(x)).get_concrete_function(Spec([2, 4, 3])), lower_control_flow=False
    )
    node = neuron_op("n", lambda x: tf.zeros([2, 5]) + x[:, 0, :1], [Spec([2, 4, 3])], ["x"])
    node.attr["graph_def"].s = frozen.graph.as_graph_def().SerializeToString()
    x = tf.random.stateless_uniform([2, 4, 3], seed=[3, 4])
    output = load(str(save(tmp_path / "m", {"x": Spec([2, 4, 3])}, [node], ["n:0"])))(x)
    np.testing.assert_allclose(output, model(x), rtol=1e-4, atol=1e-5)


def test_constants_of_any_size_in_a_few_bytes(tmp_path: Path) -> None:
    """A shape may promise more than there is."""

    def bomb(graph: Any) -> None:
        node = graph.node.add(name="bomb", op="Const")
        node.attr["dtype"].type = types_pb2.DT_FLOAT
        tensor = node.attr["value"].tensor
        tensor.dtype = types_pb2.DT_FLOAT
        tensor.float_val.extend([1.0] * 1000)
        tensor.tensor_shape.dim.add().size = 1 << 40

    node = neuron_op("n", lambda x: x + 1.0, [Spec([1, 3])], ["x"], change=bomb)
    with pytest.raises(ArtifactError, match=r"node 'bomb' promises a constant of 1099511627776 elements"):
        load(str(save(tmp_path / "m", {"x": Spec([1, 3])}, [node], ["n:0"])))


def test_strings_of_an_operator(tmp_path: Path) -> None:
    """TensorFlow's interface copies bytes, and strings are pointers: one clear error where it runs the operator."""
    node = neuron_op("n", lambda x: tf.strings.as_string(x), [Spec([1, 3])], ["x"])
    restored = load(str(save(tmp_path / "m", {"x": Spec([1, 3])}, [node], ["n:0"])))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"NeuronOp '\S+n_\d+' returns strings or handles"):
        tf.function(lambda x: tf.strings.length(restored(x)))(tf.ones((1, 3)))


def compiled_with_record(path: Path, record: Callable[[list[str]], Any]) -> Path:
    """A model that was compiled here; ``record`` makes what its record's function returns."""
    model = tfn.trace(tf.function(lambda x: x + 1.0), tf.ones((1, 3)))
    artifact = vars(model)["_neuron_artifact"]
    root = artifact.root()
    texts = [artifact.record.dumps(), artifact.program]
    root.neuron_artifact = tf.function(lambda: record(texts), input_signature=[])
    original(tf.saved_model.save)(root, str(path), signatures={"serving_default": root.serving()})
    return path


def test_the_record_is_read_and_not_run(tmp_path: Path) -> None:
    """The record of what is compiled here is a function in the file: TensorFlow's own load would not run it."""
    target = tmp_path / "written"

    def writing_record(texts: list[str]) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(target), "evil")]):
            return [tf.constant(text) for text in texts]

    path = compiled_with_record(tmp_path / "m", writing_record)
    for open_it in (load_keras, load):
        model = open_it(str(path))
        assert neuron_adapters.placement(model)
        np.testing.assert_allclose(model(tf.ones((1, 3))), 2.0)
        neuron_adapters.unload(model)
    tfn._compile._open_saved_model.read(str(path), neuron_rt.init().config)  # as tf-neuron-auto-multicore does
    assert not target.exists()
    path = compiled_with_record(tmp_path / "c", lambda texts: [tf.strings.join([text, ""]) for text in texts])
    for open_it in (load_keras, load):
        with pytest.raises(
            ArtifactError, match=r"/c: the record of the compilation cannot be read \(it is not a constant string"
        ):
            open_it(str(path))


def test_compiling_a_file_runs_what_computes_only(tmp_path: Path) -> None:
    """Outputs are told apart, and engines compared, by running the graph. One that writes runs when its user calls
    it."""
    target, module = tmp_path / "written", tf.Module()

    @tf.function(autograph=False, input_signature=[Spec([1, 3], name="x")])
    def call(x: Any) -> Any:
        tf.print("evil", output_stream=f"file://{target}")
        return x + 1.0

    module.__call__ = call
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": call})
    tfn.saved_model.compile(str(tmp_path / "m"), str(tmp_path / "compiled"))
    model = load(str(tmp_path / "compiled"))
    assert not target.exists()
    assert neuron_adapters.describe().models[-1].why == "its operator PrintV2 is not one that only computes"
    np.testing.assert_allclose(next(iter(model.signatures["serving_default"](tf.ones((1, 3))).values())), 2.0)
    assert target.exists()
