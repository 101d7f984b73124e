"""Graphs written as ONNX files: read by onnx's own reference, by OpenVINO, and by our own importer."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from neuron_adapters import mx
from neuron_adapters.mx.contrib import onnx as onnx_mxnet

pytestmark = pytest.mark.usefixtures("own_runtime")


def _network() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    data = mx.sym.var("data")
    net = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=4, name="conv")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="norm")
    net = mx.sym.Pooling(mx.sym.Activation(net, act_type="relu"), kernel=(2, 2), stride=(2, 2), pool_type="avg")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=5, name="fc"), name="softmax")
    shapes, _outputs, states = net.infer_shape(data=(2, 3, 8, 8))
    rng = np.random.default_rng(1)
    args = {name: mx.nd.array(rng.standard_normal(shape)) for name, shape in zip(net.list_arguments(), shapes)}
    aux = {name: mx.nd.array(rng.random(shape) + 0.5) for name, shape in zip(net.list_auxiliary_states(), states)}
    return net, {name: args[name] for name in args if name not in ("data", "softmax_label")}, aux


X = np.random.default_rng(2).standard_normal((2, 3, 8, 8)).astype("float32")


@pytest.fixture(scope="module")
def networks(ask_oracle: Any) -> Any:
    folder = ask_oracle("networks")
    with np.load(folder / "networks.npz") as file:
        return json.loads((folder / "networks.json").read_text()), dict(file)


@pytest.fixture(scope="module")
def net() -> Any:
    return _network()


def answer(symbol: Any, args: Any, aux: Any, **feed: np.ndarray) -> np.ndarray:
    arrays = {name: mx.nd.array(array, dtype=array.dtype) for name, array in feed.items()}
    executor = symbol.bind(mx.cpu(), {**args, **arrays}, grad_req="null", aux_states=aux)
    return executor.forward()[0].asnumpy()


def reference(path: Any, **feed: np.ndarray) -> np.ndarray:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return ReferenceEvaluator(model).run(None, feed)[0]


@pytest.fixture
def bound(net: Any) -> np.ndarray:
    symbol, args, aux = net
    zeros = np.zeros(len(X), "float32")
    return answer(symbol, args, aux, data=X, softmax_label=zeros)


def test_signature_is_mxnets() -> None:
    names = ["sym", "params", "in_shapes", "in_types", "onnx_file_path", "verbose", "dynamic", "dynamic_input_shapes",
             "run_shape_inference", "input_type", "input_shape"]  # fmt: skip
    assert list(inspect.signature(mx.onnx.export_model).parameters) == names
    assert mx.contrib.onnx.export_model is mx.onnx.export_model
    assert {"Convolution", "FullyConnected"} <= set(mx.onnx.get_operator_support())


@pytest.mark.parametrize("how", ["dict", "list", "files", "prefixed"])
def test_numbers_are_the_same(how: str, net: Any, bound: np.ndarray, tmp_path: Path, run_onnx: Any) -> None:
    symbol, args, aux = net
    path = str(tmp_path / "net.onnx")
    parameters: Any = {"dict": {**args, **aux}, "list": [args, aux]}.get(how)
    if how == "prefixed":
        parameters = {**{f"arg:{name}": array for name, array in args.items()},
                      **{f"aux:{name}": array for name, array in aux.items()}}  # fmt: skip
    if how == "files":
        mx.model.save_checkpoint(str(tmp_path / "net"), 0, symbol, args, aux)
        symbol, parameters = str(tmp_path / "net-symbol.json"), str(tmp_path / "net-0000.params")
    assert mx.onnx.export_model(symbol, parameters, [X.shape], np.float32, path, verbose=True) == path
    np.testing.assert_allclose(reference(path, data=X), bound, rtol=1e-3, atol=1e-4)
    model = onnx.load(path)
    np.testing.assert_allclose(run_onnx(model, {"data": X})[0], bound, rtol=1e-3, atol=1e-4)
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["softmax"]
    imported, arguments, states = onnx_mxnet.import_model(path)
    np.testing.assert_allclose(answer(imported, arguments, states, data=X), bound, rtol=1e-3, atol=1e-4)


def test_old_names_of_arguments(net: Any, bound: np.ndarray, tmp_path: Path) -> None:
    symbol, args, aux = net
    path = str(tmp_path / "net.onnx")
    onnx_mxnet.export_model(symbol, {**args, **aux}, input_shape=[X.shape], input_type=[np.float32], onnx_file_path=path,
                            run_shape_inference=True)  # fmt: skip
    np.testing.assert_allclose(reference(path, data=X), bound, rtol=1e-3, atol=1e-4)
    assert onnx.load(path).graph.value_info


def test_blocks_without_parameters_are_written_from_their_files(tmp_path: Path) -> None:
    block = mx.gluon.nn.Activation("relu")
    block.hybridize()
    expected = block(mx.nd.array(X[:, 0, 0])).asnumpy()
    block.export(str(tmp_path / "relu"))
    files = [str(tmp_path / name) for name in ("relu-symbol.json", "relu-0000.params", "relu.onnx")]
    path = mx.onnx.export_model(files[0], files[1], [(2, 8)], onnx_file_path=files[2])
    np.testing.assert_array_equal(reference(path, data=X[:, 0, 0]), expected)


def test_an_input_that_only_the_shape_is_taken_of_stays_an_input(tmp_path: Path) -> None:
    net = mx.sym.zeros_like(mx.sym.var("data"), name="zeros")
    path = mx.onnx.export_model(net, {}, [(2, 8)], onnx_file_path=str(tmp_path / "zeros.onnx"))
    assert [value.name for value in onnx.load(path).graph.input] == ["data"]
    np.testing.assert_array_equal(reference(path, data=X[:, 0, 0]), np.zeros((2, 8), "f4"))


def test_compiled_graphs_are_written_as_their_originals(net: Any, bound: np.ndarray, tmp_path: Path) -> None:
    symbol, args, aux = net
    compiled = mx.contrib.neuron.compile(symbol, args, aux, {"data": mx.nd.array(X)})
    path = mx.onnx.export_model(
        compiled[0], [compiled[1], compiled[2]], [X.shape], onnx_file_path=str(tmp_path / "c.onnx")
    )
    np.testing.assert_allclose(reference(path, data=X), bound, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("named", ["batch", None])
def test_batches_of_any_size(named: str | None, net: Any, tmp_path: Path) -> None:
    symbol, args, aux = net
    path = mx.onnx.export_model(
        symbol, [args, aux], [X.shape], dynamic=True, dynamic_input_shapes=[(named, 3, 8, 8)],
        onnx_file_path=str(tmp_path / "net.onnx"),
    )  # fmt: skip
    size = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0]
    assert size.dim_param
    assert named in (None, size.dim_param)
    for batch in (1, 2, 5):
        x = np.concatenate([X, X, X])[:batch] * np.float32(0.9)
        expected = answer(symbol, args, aux, data=x, softmax_label=np.zeros(batch, "float32"))
        np.testing.assert_allclose(reference(path, data=x), expected, rtol=1e-3, atol=1e-4)


def test_all_sizes_that_can_vary_do(net: Any, tmp_path: Path) -> None:
    """The weights fix the channels and the size of the picture; of a network of convolutions alone nothing does."""
    symbol, args, aux = net
    path = mx.onnx.export_model(symbol, [args, aux], [X.shape], dynamic=True, onnx_file_path=str(tmp_path / "net.onnx"))
    sizes = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [bool(size.dim_param) for size in sizes] == [True, False, False, False]
    whole = symbol.get_internals()["norm_output"]
    path = mx.onnx.export_model(whole, [args, aux], [X.shape], dynamic=True, onnx_file_path=str(tmp_path / "net.onnx"))
    sizes = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [bool(size.dim_param) for size in sizes] == [True, False, True, True]
    x = np.random.default_rng(5).standard_normal((3, 3, 5, 11)).astype("float32")
    np.testing.assert_allclose(reference(path, data=x), answer(whole, args, aux, data=x), rtol=1e-3, atol=1e-4)


def test_several_inputs_of_several_dtypes(tmp_path: Path) -> None:
    ids, scale = mx.sym.var("ids"), mx.sym.var("scale")
    net = mx.sym.broadcast_mul(mx.sym.Embedding(ids, input_dim=7, output_dim=4, name="words"), scale)
    table = {"words_weight": mx.nd.array(np.random.default_rng(3).standard_normal((7, 4)))}
    path = mx.onnx.export_model(
        net, table, [(2, 3), (2, 3, 1)], [np.int32, np.float32], str(tmp_path / "net.onnx"), dynamic=True,
        dynamic_input_shapes=[("batch", "length"), ("batch", "length", 1)],
    )  # fmt: skip
    model = onnx.load(path)
    kinds = [value.type.tensor_type.elem_type for value in model.graph.input]
    assert kinds == [onnx.TensorProto.INT32, onnx.TensorProto.FLOAT]
    rows = np.array([[1, 6, 0, 2], [3, 3, 5, 4], [0, 1, 2, 3]], "int32")
    factor = np.random.default_rng(4).standard_normal((3, 4, 1)).astype("float32")
    expected = answer(net, table, {}, ids=rows, scale=factor)
    np.testing.assert_allclose(reference(path, ids=rows, scale=factor), expected, rtol=1e-4)


def test_what_cannot_be_left_open_names_the_node(tmp_path: Path) -> None:
    x = mx.sym.var("data")
    net = mx.sym.Concat(x, mx.sym.ones((2, 4)), dim=1, name="wide")
    with pytest.raises(mx.MXNetError, match="Concat wide"):
        mx.onnx.export_model(net, {}, [(2, 4)], dynamic=True, dynamic_input_shapes=[("n", 4)],
                             onnx_file_path=str(tmp_path / "net.onnx"))  # fmt: skip
    net = mx.sym.broadcast_like(mx.sym.sum(x, axis=0, keepdims=True), x, name="wide")
    with pytest.raises(mx.MXNetError, match=r"Expand wide.* other sizes.*dynamic_input_shapes"):
        mx.onnx.export_model(net, {}, [(2, 4)], dynamic=True, dynamic_input_shapes=[("n", 4)],
                             onnx_file_path=str(tmp_path / "net.onnx"))  # fmt: skip


def test_wrong_arguments(net: Any, tmp_path: Path) -> None:
    symbol, args, aux = net
    path = str(tmp_path / "net.onnx")
    both = {**args, **aux}
    for arguments, why in (
        ((symbol, 3, [X.shape]), "files or objects"),
        ((symbol, [args], [X.shape]), "files or objects"),
        ((symbol, both, [X.shape, X.shape]), "2 shapes, and the graph has 1 inputs .*data"),
        ((symbol, both, [X.shape], [np.float32, np.float32]), "in_types"),
    ):
        with pytest.raises(ValueError, match=why):
            mx.onnx.export_model(*arguments, onnx_file_path=path)  # type: ignore[misc]
    with pytest.raises(ValueError, match="dynamic must be True"):
        mx.onnx.export_model(symbol, both, [X.shape], onnx_file_path=path, dynamic_input_shapes=[(None, 3, 8, 8)])
    with pytest.raises(ValueError, match="fixes a size of data to 4"):
        mx.onnx.export_model(symbol, both, [X.shape], onnx_file_path=path, dynamic=True,
                             dynamic_input_shapes=[(None, 4, 8, 8)])  # fmt: skip
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mx.onnx.export_model("nowhere-symbol.json", "nowhere.params", [X.shape], onnx_file_path=path)
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("name", ["resnet18_v2", "mobilenetv2_1.0", "bert", "unrolled", "layers"])
def test_networks_there_and_back(name: str, networks: Any, oracle: Any, tmp_path: Path) -> None:
    """A network of the real MXNet's, written and read again, gives the real MXNet's answers."""
    records, arrays = networks
    record, draw = records[name], oracle("weights")
    symbol = mx.sym.load_json(record["symbol"])
    inputs = {key: tuple(shape) for key, shape in record["inputs"].items()}
    label = f"{symbol.get_internals()[-1 + len(symbol.get_internals())].name}_label"
    names = [key for key in symbol.list_inputs() if key in inputs and key != label]
    weights = {
        key: mx.nd.array(draw.weight(key, tuple(shape))) for key, shape in record["shapes"].items() if key not in inputs
    }
    weights.pop(label, None)
    path = mx.onnx.export_model(
        symbol, weights, [inputs[key] for key in names], onnx_file_path=str(tmp_path / "net.onnx")
    )
    imported, args, aux = onnx_mxnet.import_model(path)
    feed = {key: mx.nd.array(draw.feed(key, inputs[key])) for key in names}
    outputs = imported.bind(mx.cpu(), {**args, **feed}, grad_req="null", aux_states=aux).forward()
    for place, output in enumerate(outputs):
        expected = arrays[f"{name}/{place}"]
        np.testing.assert_allclose(
            output.asnumpy(), expected, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(expected).max()))
        )
