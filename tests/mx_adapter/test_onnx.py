"""ONNX files as MXNet's graphs, beside ONNX Runtime, onnx's own reference, and the real MXNet's importer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession, SessionOptions

import neuron_adapters
from neuron_adapters import mx
from neuron_adapters.mx.contrib import onnx as onnx_mxnet

pytestmark = pytest.mark.usefixtures("own_runtime")

FIXTURES = Path(__file__).parent / "fixtures" / "onnx"


@pytest.fixture(scope="module")
def cases(oracle: Any) -> Any:
    return oracle("onnx_cases")


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], Path]:
    def save(model: Any) -> Path:
        path = tmp_path / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return save


def run(path: Any, feed: dict[str, np.ndarray], ctx: Any = None) -> list[np.ndarray]:
    """As scripts do it: import, bind with arrays of float32 whatever the file says, forward."""
    symbol, args, aux = onnx_mxnet.import_model(path)
    arrays = {name: mx.nd.array(array, dtype="float32") for name, array in feed.items()}
    executor = symbol.bind(ctx or mx.cpu(), {**args, **arrays}, grad_req="null", aux_states=aux)
    return [output.asnumpy() for output in executor.forward()]


def same(actual: np.ndarray, expected: np.ndarray, name: str = "") -> None:
    assert actual.shape == (expected.shape or (1,)), name
    assert actual.dtype == expected.dtype, name
    np.testing.assert_allclose(actual.reshape(expected.shape), expected, rtol=1e-3, atol=1e-4, err_msg=name)


#: Of these onnx's own reference has no answer, or not that of the operator's text (before version 13 a Softmax is one of
#: all axes behind), and ONNX Runtime has.
_BEYOND_THE_REFERENCE = {
    "ConvTranspose-uneven", "ConvTranspose-shape", "LpNormalization-1", "Softmax-of-version-11",
    "LogSoftmax-of-version-11", "GlobalLpPool", "Pad-less", "LpNormalization-zeros", "Mod-ends", "DequantizeLinear", "pictures",
}  # fmt: skip


def runtime(model: Any) -> InferenceSession:
    options = SessionOptions()
    options.log_severity_level = 3  # it warns of old versions of operators
    return InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def test_operator(onnx_case: Any, saved: Any) -> None:
    outputs = run(saved(onnx_case.model), onnx_case.feed)
    answers = [runtime(onnx_case.model).run(None, onnx_case.feed)]
    if onnx_case.name not in _BEYOND_THE_REFERENCE:
        answers.append(ReferenceEvaluator(onnx_case.model).run(None, onnx_case.feed))
    for expected in answers:
        assert len(outputs) == len(expected)
        for output, other in zip(outputs, expected):
            same(output, np.asarray(other), onnx_case.name)


def test_broadcasting_of_version_6(cases: Any, saved: Any) -> None:
    """The second array's axes begin where ``axis`` says."""
    x, y = cases.floats(2, 3, 4, 5), cases.floats(3, 4)
    model = cases.case("Add", x, y, opset=6, broadcast=1, axis=1).model
    np.testing.assert_allclose(run(saved(model), {"x0": x, "x1": y})[0], x + y[:, :, None], rtol=1e-6)


def test_graphs_are_as_the_real_mxnet_imports_them(ask_oracle: Any, cases: Any, saved: Any) -> None:
    """The same numbers, arguments, auxiliary states, parameters and metadata."""
    folder = ask_oracle("onnx_models")
    names = json.loads((folder / "names.json").read_text())
    assert sorted(names) == sorted(cases.MXNETS)
    with np.load(folder / "answers.npz") as answers:
        for case in [*cases.CASES, *cases.NETWORKS]:
            if case.name not in names:
                continue
            path, record = saved(case.model), names[case.name]
            for place, output in enumerate(run(path, case.feed)):
                np.testing.assert_allclose(
                    output, answers[f"{case.name}/{place}"], rtol=1e-3, atol=1e-4, err_msg=case.name
                )
            symbol, args, aux = onnx_mxnet.import_model(path)
            metadata = onnx_mxnet.get_model_metadata(path)
            assert json.loads(json.dumps(metadata)) == record["metadata"], case.name
            imported = {**dict.fromkeys(args, "arg"), **dict.fromkeys(aux, "aux")}
            expected = {**dict.fromkeys(record["args"], "arg"), **dict.fromkeys(record["aux"], "aux")}
            assert imported.items() <= expected.items(), case.name
            if case.name not in _ATTRIBUTES_HERE:
                assert imported == expected, case.name
                assert symbol.list_arguments() == record["arguments"], case.name
                assert symbol.list_auxiliary_states() == record["auxiliary_states"], case.name


#: Their constants are attributes of the operator.
_ATTRIBUTES_HERE = {"Reshape"}


# -- what scripts do with an imported model -------------------------------------------------------------------------


@pytest.fixture
def pictures(cases: Any, saved: Any) -> Any:
    (case,) = [case for case in cases.NETWORKS if case.name == "pictures"]
    return case, saved(case.model), runtime(case.model)


def test_the_graph_is_like_any_other(pictures: Any, tmp_path: Path) -> None:
    case, path, reference = pictures
    symbol, args, aux = onnx_mxnet.import_model(str(path))
    assert symbol.list_arguments()[:3] == ["data", "stem.weight", "stem.bias"]
    assert symbol.list_auxiliary_states() == ["bn.running_mean", "bn.running_var"]
    assert symbol.list_outputs() == ["softmax_12_output"]
    shapes, (output,), states = symbol.infer_shape(data=(4, 3, 24, 24))
    assert (shapes[1], output, states) == ((8, 3, 3, 3), (4, 5), [(8,), (8,)])
    middle = symbol.get_internals()["flatten_10_output"]
    assert middle.infer_shape(data=(4, 3, 24, 24))[1] == [(4, 8)]
    mx.model.save_checkpoint(str(tmp_path / "net"), 3, symbol, args, aux)
    loaded, args, aux = mx.model.load_checkpoint(str(tmp_path / "net"), 3)
    module = mx.mod.Module(loaded, label_names=None, context=mx.neuron(0))
    module.bind([("data", (1, 3, 24, 24))], for_training=False)
    module.set_params(args, aux, allow_missing=True, allow_extra=True)
    module.forward(mx.io.DataBatch([mx.nd.array(case.feed["data"])]))
    same(module.get_outputs()[0].asnumpy(), reference.run(None, case.feed)[0])
    assert " ".join(map(str, neuron_adapters.placement(module))) == "NC0"


def test_it_is_compiled_and_runs_on_neuron_cores(pictures: Any) -> None:
    case, path, reference = pictures
    symbol, args, aux = onnx_mxnet.import_model(path)
    x = mx.nd.array(case.feed["data"])
    options = {"--neuroncore-pipeline-cores": 2}
    symbol, args, aux = mx.contrib.neuron.compile(symbol, args, aux, {"data": x}, **options)
    executor = symbol.bind(mx.neuron(1), {**args, "data": x}, grad_req="null", aux_states=aux)
    same(executor.forward()[0].asnumpy(), reference.run(None, case.feed)[0])
    assert " ".join(map(str, neuron_adapters.placement(executor))) == "NC1-NC2"


def test_it_is_a_block(pictures: Any) -> None:
    case, path, reference = pictures
    block = onnx_mxnet.import_to_gluon(path, mx.neuron(3))
    same(block(mx.nd.array(case.feed["data"])).asnumpy(), reference.run(None, case.feed)[0])
    assert block.collect_params()["fc.weight"].list_ctx() == [mx.neuron(3)]
    assert " ".join(map(str, neuron_adapters.placement(block))) == "NC3"


def test_other_sizes_than_those_of_the_file(cases: Any, saved: Any) -> None:
    """Batch and length are open in it, and follow from what is bound."""
    (case,) = [case for case in cases.NETWORKS if case.name == "attention"]
    path, reference = saved(case.model), runtime(case.model)
    for batch, length in ((1, 7), (3, 5)):
        rng = np.random.default_rng(batch)
        feed = {"ids": rng.integers(0, 11, (batch, length)), "mask": rng.integers(0, 2, (batch, length))}
        feed["mask"][:, 0] = 1
        same(run(path, feed)[0], reference.run(None, feed)[0])


def test_metadata(pictures: Any) -> None:
    _case, path, _reference = pictures
    metadata = onnx_mxnet.get_model_metadata(path)
    assert metadata["input_tensor_data"] == [("data", (0, 3, 24, 24), 1)]
    assert [name for name, _shape in metadata["output_tensor_data"]] == ["m"]


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.onnx")))
def test_files_of_other_frameworks(name: str) -> None:
    """Networks with random weights that PyTorch exported, and its answers."""
    path = FIXTURES / f"{name}.onnx"
    with np.load(FIXTURES / f"{name}.npz") as answers:
        feed = {key: answers[key] for key in answers if not key.startswith("output")}
        expected = [answers[key] for key in sorted(set(answers) - set(feed))]
    outputs = run(path, feed)
    assert len(outputs) == len(expected) > 0
    for output, other in zip(outputs, expected):
        same(output, other, name)


# -- what cannot be -------------------------------------------------------------------------------------------------


def one_node(cases: Any, op: str, *arguments: Any, **attributes: Any) -> Any:
    return cases.case(op, *arguments, **attributes).model


def test_operators_that_mxnet_lacks_are_one_error(cases: Any, saved: Any) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("NonZero", ["a"], ["b"], name="first"),
        helper.make_node("NonZero", ["a"], ["c"]),
        helper.make_node("Frob", ["a"], ["d"], name="own", domain="com.example"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, [2])], [helper.make_tensor_value_info("b", 7, None)]
    )
    path = saved(helper.make_model(graph))
    with pytest.raises(NotImplementedError, match=r"NonZero \(first, c\).*Export") as raised:
        onnx_mxnet.import_model(path)
    assert "com.example.Frob (own)" in str(raised.value)
    assert isinstance(raised.value, mx.MXNetError)
    assert str(path) in str(raised.value)
    assert (raised.value.node, raised.value.operator) == ("first", "NonZero")


@pytest.mark.parametrize(
    ("op", "arguments", "attributes", "why"),
    [
        ("GRU", [(4, 2, 3), (1, 15, 3), (1, 15, 5)], {"hidden_size": 5, "outputs": 2}, "linear_before_reset"),
        ("LSTM", [(4, 2, 3), (1, 20, 3), (1, 20, 5)], {"hidden_size": 5, "outputs": 3, "clip": 3.0}, "clip"),
        ("MaxPool", [(1, 1, 5, 5)], {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations"),
        ("MaxPool", [(1, 1, 5, 5)], {"kernel_shape": [2, 2], "outputs": 2}, "output 1 has no counterpart"),
        ("BatchNormalization", [(2, 3), (3,), (3,), (3,), (3,)], {"training_mode": 1, "outputs": 3}, "training"),
        ("Resize", [(1, 1, 4, 4), None, None, np.array([1, 1, 2, 2])], {"mode": "linear", "antialias": 1, "opset": 18}, "antialias"),
        ("Pad", [(1, 1, 4, 4), np.array([0, 0, 1, 1, 0, 0, 1, 1])], {"mode": "wrap", "opset": 19}, "wrap"),
        ("Cast", [(2, 3)], {"to": TensorProto.BFLOAT16}, "dtype"),
        ("Mod", [(2, 3), (2, 3)], {}, "fmod=1"),
        ("Resize", [(1, 1, 4, 4), None, np.array([1, 1, 0.7, 0.6], "float32")],
         {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "say the sizes"),
        ("Slice", [(2, 3), np.array([2]), np.array([1]), np.array([1])], {}, "nothing"),
    ],
)  # fmt: skip
def test_what_mxnet_lacks_names_node_and_operator(
    op: str, arguments: Any, attributes: Any, why: str, cases: Any, saved: Any
) -> None:
    inputs = [
        cases.Constant(entry) if isinstance(entry, np.ndarray) else None if entry is None
        else cases.weights(*entry) if place else cases.floats(*entry)
        for place, entry in enumerate(arguments)
    ]  # fmt: skip
    model = cases.case(op, *inputs, **attributes).model
    with pytest.raises(NotImplementedError, match=rf"{op} node: .*{why}") as raised:
        onnx_mxnet.import_model(saved(model))
    assert raised.value.operator == op


def test_shapes_that_depend_on_the_data(cases: Any, saved: Any) -> None:
    model = cases.case("Reshape", cases.floats(2, 3), np.array([3, 2])).model
    with pytest.raises(NotImplementedError, match=r"Reshape node: what it takes as shape is computed .*fixed shapes"):
        onnx_mxnet.import_model(saved(model))


# -- files of strangers ---------------------------------------------------------------------------------------------


def test_damaged_files(pictures: Any, saved: Any, tmp_path: Path) -> None:
    _case, path, _reference = pictures
    good = path.read_bytes()
    for bad in (b"", b"no onnx at all", good[: len(good) // 2], good[:-1], b"\x08\x08"):
        with pytest.raises(mx.base.FormatError, match=r"model\.onnx") as raised:
            onnx_mxnet.import_model(saved(bad))
        assert "\n" not in str(raised.value)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        onnx_mxnet.import_model(tmp_path / "nowhere.onnx")
    with pytest.raises(mx.MXNetError, match="nowhere"):
        onnx_mxnet.get_model_metadata(tmp_path / "nowhere.onnx")


def test_every_damage_is_one_error_or_none(pictures: Any, saved: Any) -> None:
    """Changed bytes: a model, or an MXNetError of one line; never another exception."""
    _case, path, _reference = pictures
    good = path.read_bytes()
    rng = np.random.default_rng(7)
    refused: list[str] = []
    for _ in range(150):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), 3):
            bad[place] = rng.integers(0, 256)
        try:
            onnx_mxnet.import_model(saved(bytes(bad)))
        except mx.MXNetError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in text for text in refused)


def _tensor(model: Any, name: str) -> Any:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def test_tensors_that_do_not_fit(pictures: Any, saved: Any) -> None:
    case, _path, _reference = pictures
    for change, why in (
        (lambda tensor: tensor.dims.append(7), "fc.bias"),
        (lambda tensor: tensor.dims.__setitem__(0, -1), "shape"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.STRING), "STRING"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.BFLOAT16), "BFLOAT16"),
    ):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        change(_tensor(model, "fc.bias"))
        with pytest.raises(mx.MXNetError, match=why):
            onnx_mxnet.import_model(saved(model))


@pytest.fixture
def outside(pictures: Any, tmp_path: Path) -> Callable[..., Path]:
    """A model in a folder of its own, whose last bias lies in another file."""
    case, _path, _reference = pictures

    def write(location: str, **more: Any) -> Path:
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        tensor = _tensor(model, "fc.bias")
        array = numpy_helper.to_array(tensor)
        folder = tmp_path / "model"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "weights.bin").write_bytes(b"12345678" + array.tobytes())
        (tmp_path / "secret.bin").write_bytes(b"12345678" + array.tobytes())
        (folder / "link.bin").unlink(missing_ok=True)
        (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": 8, "length": array.nbytes, **more}.items():
            tensor.external_data.add(key=key, value=str(value))
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def test_data_in_another_file(outside: Any, pictures: Any) -> None:
    case, _path, reference = pictures
    same(run(outside("data/weights.bin"), case.feed)[0], reference.run(None, case.feed)[0])


@pytest.mark.parametrize(
    "location", ["../secret.bin", "data/../../secret.bin", "link.bin", "/etc/passwd", "", "data/\0", "."]
)
def test_data_elsewhere_is_not_read(location: str, outside: Any) -> None:
    with pytest.raises(mx.base.FormatError, match=r"fc\.bias"):
        onnx_mxnet.import_model(outside(location))


@pytest.mark.parametrize("more", [{"offset": -4}, {"offset": 9}, {"length": 4}, {"length": "x"}, {"offset": 2**62}])
def test_data_that_is_not_there(more: Any, outside: Any) -> None:
    with pytest.raises(mx.base.FormatError, match=r"fc\.bias"):
        onnx_mxnet.import_model(outside("data/weights.bin", **more))
    with pytest.raises(mx.base.FormatError, match="missing"):
        onnx_mxnet.import_model(outside("data/nothing.bin"))


def test_small_files_do_not_ask_for_much_memory(cases: Any, saved: Any) -> None:
    """A constant of 2**40 numbers is left to the graph, which says that it is too large."""
    huge = cases.ints(1 << 20, 1 << 20)
    model = cases.case("ConstantOfShape", huge).model
    symbol, args, _aux = onnx_mxnet.import_model(saved(model))
    with pytest.raises(mx.MXNetError, match="MiB"):
        symbol.bind(mx.cpu(), args, grad_req="null").forward()


def test_modules_where_scripts_look_for_the_functions() -> None:
    from neuron_adapters.mx.contrib.onnx.mx2onnx.export_model import export_model
    from neuron_adapters.mx.contrib.onnx.onnx2mx.import_model import import_model
    from neuron_adapters.mx.contrib.onnx.onnx2mx.import_to_gluon import import_to_gluon

    assert import_model is onnx_mxnet.import_model
    assert import_to_gluon is onnx_mxnet.import_to_gluon
    assert export_model is mx.onnx.export_model is mx.onnx.mx2onnx.export_model


def test_the_tutorial_of_gluon(pictures: Any) -> None:
    """As MXNet's tutorial fills a block: through a method of the parameters that is not public."""
    case, path, reference = pictures
    symbol, arg_params, aux_params = onnx_mxnet.import_model(path)
    names = [graph_input[0] for graph_input in onnx_mxnet.get_model_metadata(path)["input_tensor_data"]]
    net = mx.gluon.nn.SymbolBlock(outputs=symbol, inputs=mx.sym.var(names[0]))
    net_params = net.collect_params()
    for params in (arg_params, aux_params):
        for param in params:
            if param in net_params:
                net_params[param].shape = params[param].shape
                net_params[param]._load_init(params[param], ctx=mx.neuron(0))
    net.hybridize()
    same(net(mx.nd.array(case.feed["data"])).asnumpy(), reference.run(None, case.feed)[0])
    with pytest.raises(ValueError, match=r"fc\.bias.*\(5,\)"):
        net_params["fc.bias"].shape = (6,)
