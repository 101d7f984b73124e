"""Every operator against the real MXNet: shapes, dtypes, names and values."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuron_adapters import mx
from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet._errors import BeyondOnnxError, InvalidGraphError, UnsupportedOperatorError
from neuron_adapters.mxnet._graph import Entry, Node
from neuron_adapters.mxnet._inference import infer
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet._symbol_json import loads
from neuron_adapters.mxnet.ndarray._invoke import invoke
from neuron_adapters.mxnet.numpy_form import NumpyForm
from neuron_adapters.mxnet.operators import find, names
from neuron_adapters.mxnet.operators._registry import register
from neuron_rt import CompileError

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = {"float16": {"rtol": 4e-3, "atol": 2e-3}}
#: Operators that have no form in ONNX, for some dtypes at least.
BY_NUMPY = {
    "CTCLoss", "_contrib_MultiBoxTarget", "_contrib_PSROIPooling", "_contrib_RROIAlign", "_contrib_allclose",
    "_contrib_bipartite_matching", "_histogram", "_linalg_det", "_linalg_gelqf", "_linalg_inverse", "_linalg_potrf",
    "_linalg_potri", "_linalg_slogdet", "_linalg_syevd", "_linalg_trsm", "norm", "_random_pdf_dirichlet",
    "_random_pdf_exponential", "_random_pdf_gamma", "_random_pdf_generalized_negative_binomial",
    "_random_pdf_negative_binomial", "_random_pdf_normal", "_random_pdf_poisson", "_random_pdf_uniform",
}  # fmt: skip
#: Operators whose nodes hold graphs, and those that draw: test_graphs.py and test_random_operators.py have them.
ELSEWHERE = ("_cond", "_foreach", "_random_", "_sample_", "_sg_mkldnn_", "_shuffle", "_while_loop")


def translate(heads, shapes, dtypes, constants):
    shapes = {**shapes, **{name: array.shape for name, array in constants.items()}}
    dtypes = {**dtypes, **{name: array.dtype.name for name, array in constants.items()}}
    return _onnx.translate(infer(heads, shapes, dtypes), constants)


@pytest.fixture(scope="session")
def answers(ask_oracle):
    folder = ask_oracle("operators")
    arrays, records = {}, {}
    for part in ("plain", "quick"):
        with np.load(folder / f"{part}.npz") as file:
            arrays.update(file)
        records.update((record["number"], record) for record in json.loads((folder / f"{part}.json").read_text()))
    return records, arrays


def test_operator(numbered_case, answers, run_onnx):
    records, arrays = answers
    number, case = numbered_case
    record = records[number]
    assert "error" not in record, record["error"]
    inputs = {f"in{index}": arrays[f"{number}/in/{index}"] for index in range(len(case.inputs))}
    for name, array in zip(inputs, case.inputs):
        np.testing.assert_array_equal(inputs[name], array)
    heads = loads(record["symbol"])
    shapes = {name: array.shape for name, array in inputs.items()}
    dtypes = {name: array.dtype.name for name, array in inputs.items()}
    assert mx.sym.load_json(record["symbol"]).list_outputs() == record["outputs"]
    expected = [arrays[f"{number}/out/{index}"] for index in range(len(record["outputs"]))]
    assert infer(heads, shapes, dtypes).outputs == [(array.shape, array.dtype.name) for array in expected]
    try:
        model = translate(heads, shapes, dtypes, {})
    except BeyondOnnxError:
        assert case.op in BY_NUMPY
        outputs = NumpyForm(infer(heads, shapes, dtypes)).run(inputs)
    else:
        assert [value.name for value in model.graph.output] == record["outputs"]
        outputs = run_onnx(model, inputs)
    for output, other in zip(outputs, expected):
        assert (output.shape, output.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(
            output.astype("float64"),
            other.astype("float64"),
            **TOLERANCE.get(other.dtype.name, {"rtol": 1e-4, "atol": 1e-5}),
        )
    if record["composed"] is not None:
        compare_names(case, record["composed"])
    compare_at_once(case, expected)


def compare_at_once(case, expected):
    """The same operator as a function of arrays; ``out`` takes what it gives."""
    arrays = [mx.nd.array(array, dtype=array.dtype) for array in case.inputs]
    kept = [array.asnumpy() for array in arrays]
    results = invoke(case.op, arrays, {}, case.attrs)
    results = results if isinstance(results, list) else [results]
    assert len(results) == len(expected) + (case.attrs.get("act_type") == "rrelu")  # see the oracle
    for result, other in zip(results, expected):
        assert (result.shape, result.dtype) == (other.shape, other.dtype.type)
        np.testing.assert_allclose(
            result.asnumpy().astype("float64"),
            other.astype("float64"),
            **TOLERANCE.get(other.dtype.name, {"rtol": 1e-4, "atol": 1e-5}),
        )
        result[:] = 0  # it is the caller's
    again = [result.copy() for result in results]
    assert invoke(case.op, arrays, {}, case.attrs, out=again) is again
    for result, other in zip(again, expected):
        np.testing.assert_allclose(result.asnumpy().astype("f8"), other.astype("f8"), rtol=4e-3, atol=2e-3)
    for array, before in zip(arrays, kept):
        np.testing.assert_array_equal(array.asnumpy(), before)


def compare_names(case, composed):
    """The variables that MXNet makes for an operator by itself."""
    operator = find(case.op)
    names = operator.inputs(case.attrs)
    assert [f"node_{name}" for name in names if name not in operator.auxiliary] == composed["arguments"]
    assert [f"node_{name}" for name in names if name in operator.auxiliary] == composed["auxiliary"]
    assert [f"node_{name}" for name in operator.outputs(case.attrs)] == composed["outputs"]


def test_synonyms_are_the_ones_of_mxnet_and_every_operator_has_a_case(ask_oracle, oracle):
    known = json.loads((ask_oracle("operators") / "synonyms.json").read_text())
    groups: dict[int, set[str]] = {}
    for name, number in known.items():
        if name.startswith("_np"):
            continue  # MXNet's NumPy interface, whose arrays without axes are not the classic ones
        groups.setdefault(number, set()).add(name)
    tested = {known[case.op] for case in oracle("cases").CASES}
    mine = {name: find(name) for name in names()}
    assert set(mine) - set(known) == {"CuDNNBatchNorm", "MultiBoxDetection", "MultiBoxPrior"}  # other builds' and older
    for name in [name for name in set(mine) & set(known) if not name.startswith("_np")]:
        group = groups[known[name]]
        assert {id(mine[other]) for other in group if other in mine} == {id(mine[name])}, group
        assert group <= set(mine), group - set(mine)
        elsewhere = name == "Custom" or own_name(name).startswith(ELSEWHERE)
        assert known[name] in tested or elsewhere, name


def variable(name, **attrs):
    return Entry(Node("null", name, attrs))


def node(op, *inputs, name="node", **attrs):
    return Entry(Node(op, name, {key: str(value) for key, value in attrs.items()}, inputs))


def test_unknown_operators_are_named_all_at_once_before_anything_runs():
    x = node("Mystery", variable("x"), name="one")
    heads = [node("relu", node("Enigma", node("Mystery", x, name="two"), name="three", kernel="wrong"), name="four")]
    for call in (lambda: translate(heads, {"x": (2,)}, {}, {}), lambda: infer(heads, {}, {}, partial=True)):
        with pytest.raises(UnsupportedOperatorError, match=r"Enigma \(three\); Mystery \(one, two\)") as caught:
            call()
        assert caught.value.operators == {"Mystery": ["one", "two"], "Enigma": ["three"]}
        assert isinstance(caught.value, CompileError)


WRONG = {
    "kernel": ("Convolution", {"kernel": "(3, x)", "num_filter": "4"}, [(1, 3, 8, 8)], "kernel must be whole numbers"),
    "required": ("Convolution", {"kernel": "(3, 3)"}, [(1, 3, 8, 8)], "attribute num_filter is required"),
    "flag": ("FullyConnected", {"num_hidden": "4", "flatten": "yes"}, [(2, 3)], "flatten must be True or False"),
    "choice": ("Activation", {"act_type": "swish"}, [(2, 3)], "act_type must be one of relu, sigmoid"),
    "number": ("clip", {"a_min": "low", "a_max": "1"}, [(2, 3)], "a_min must be a number"),
    "dtype": ("Cast", {"dtype": "float12"}, [(2, 3)], "dtype must be one of float32"),
    "axis": ("softmax", {"axis": "5", "use_length": "True"}, [(2, 3), None], "axis must be from -2 to 1"),
    "axes": ("transpose", {"axes": "(0, 0)"}, [(2, 3)], "axes must name each of 2 axes once"),
    "values": ("Reshape", {"shape": "(4, 2)"}, [(2, 3)], r"cannot hold the 6 values of \(2, 3\)"),
    "broadcast": ("broadcast_add", {}, [(2, 3), (4, 3)], r"\(2, 3\) and \(4, 3\) cannot be broadcast"),
    "same": ("elemwise_add", {}, [(2, 3), (2, 4)], r"\(2, 3\) and \(2, 4\) contradict"),
    "weight": (
        "FullyConnected",
        {"num_hidden": "4"},
        [(2, 3), (4, 5), (4,)],
        r"weight \(4, 5\) and \(4, 3\) contradict",
    ),
    "rank": (
        "Convolution",
        {"kernel": "(3, 3)", "num_filter": "4"},
        [(2, 3)],
        "data must have 4 axes for a kernel of 2",
    ),
    "window": ("Pooling", {"kernel": "(9, 9)"}, [(1, 1, 4, 4)], r"kernel \(9, 9\) must fit the padded data"),
    "groups": ("Convolution", {"kernel": "(1, 1)", "num_filter": "4", "num_group": "2"}, [(1, 3, 4, 4)], "must divide"),
    "inputs": ("Concat", {"num_args": "3"}, [(2, 3), (2, 3)], r"takes 3 inputs \(arg0, arg1, arg2\), got 2"),
    "empty": ("slice_axis", {"axis": "0", "begin": "2", "end": "1"}, [(4, 3)], "leave (nothing|some) of axis 0"),
    "lengths": (
        "RNN",
        {"mode": "gru", "state_size": "4", "num_layers": "1", "use_sequence_length": "1"},
        [(5, 2, 3)],
        "must be False: MXNet itself has lengths on GPUs only",
    ),
    "dropout": ("Dropout", {"mode": "always", "p": "1.5"}, [(2, 3)], "attribute p must be from 0 to 1, got 1.5"),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_is_wrong_is_said_with_node_operator_and_what_was_expected(why):
    op, attrs, shapes, expected = WRONG[why]
    names = [f"in{index}" for index in range(max(len(shapes), 3 if op in ("Convolution", "FullyConnected") else 0))]
    heads = [node(op, *map(variable, names), name="here", **attrs)]
    with pytest.raises(InvalidGraphError, match=expected) as caught:
        translate(heads, dict(zip(names, shapes)), {}, {})
    assert (caught.value.node, caught.value.operator) == ("here", op)
    assert f"{op} here: " in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_two_dtypes_are_refused():
    heads = [node("elemwise_add", variable("x"), variable("y"), name="sum")]
    with pytest.raises(InvalidGraphError, match="elemwise_add sum: all inputs must have one dtype, got float16 and"):
        translate(heads, {"x": (2,), "y": (2,)}, {"x": "float16", "y": "float32"}, {})


def test_what_is_not_known_is_named():
    heads = [node("elemwise_add", node("relu", variable("x"), name="one"), variable("y"), name="sum")]
    with pytest.raises(InvalidGraphError, match="unknown: x, y"):
        infer(heads, {}, {})
    known = infer(heads, {"y": (0, 3)}, {}, partial=True)
    assert known.shapes == {"x": (0, 3), "y": (0, 3)}
    assert known.outputs == [((0, 3), "float32")]


def test_shapes_and_dtypes_are_filled_in_in_both_directions():
    zeros = node("_zeros", name="state", shape="(0, 8)")
    layer = node("FullyConnected", zeros, variable("w"), variable("b"), name="fc", num_hidden=4)
    heads = [node("elemwise_add", layer, variable("x", __shape__="(0, 4)", __dtype__="2"), name="sum")]
    known = infer(heads, {"b": (4,), "x": (5, 4)}, {"w": "float32", "x": "float32"})
    assert known.shapes == {"w": (4, 8), "b": (4,), "x": (5, 4)}
    half = infer(
        [node("FullyConnected", variable("x"), variable("w"), num_hidden=4, no_bias=True)],
        {"x": (2, 3)},
        {"x": "float16"},
    )
    assert half.dtypes == {"x": "float16", "w": "float16"}
    assert half.outputs == [((2, 4), "float16")]
    hinted = infer([node("relu", variable("x", __shape__="(2, 3)", __dtype__="2"))], {}, {})
    assert hinted.shapes == {"x": (2, 3)}
    assert hinted.dtypes == {"x": "float16"}


def test_constants_are_initializers_and_the_rest_inputs_in_the_order_of_the_graph(run_onnx):
    x, w = variable("x"), variable("w")
    body = node("FullyConnected", x, w, name="fc", num_hidden=4, no_bias=True)
    heads = [body, Entry(x.node), body, node("elemwise_add", body, variable("y"), name="fc_output")]
    weights = np.arange(12, dtype="float32").reshape(4, 3)
    model = translate(heads, {"x": (2, 3), "y": (2, 4)}, {}, {"w": weights, "unused": weights})
    assert [value.name for value in model.graph.input] == ["x", "y"]
    assert "w" in [tensor.name for tensor in model.graph.initializer]
    assert "unused" not in [tensor.name for tensor in model.graph.initializer]
    names = [value.name for value in model.graph.output]
    assert names[0] == "fc_output"
    assert len(set(names)) == 4
    data, other = np.ones((2, 3), "float32"), np.ones((2, 4), "float32")
    product = data @ weights.T
    for output, expected in zip(run_onnx(model, {"x": data, "y": other}), [product, data, product, product + 1]):
        np.testing.assert_allclose(output, expected)


def test_channels_at_the_end_are_the_same_convolution(run_onnx):
    rs = np.random.RandomState(0)
    data, weight = rs.standard_normal((1, 3, 6, 7)).astype("f"), rs.standard_normal((4, 3, 3, 3)).astype("f")
    pooled = []
    for layout, order in (("NCHW", (0, 1, 2, 3)), ("NHWC", (0, 2, 3, 1))):
        convolution = node(
            "Convolution", variable("x"), variable("w"), num_filter=4, kernel="(3, 3)", no_bias=True, layout=layout
        )
        heads = [
            node("Pooling", convolution, kernel="(2, 2)", stride="(2, 2)", pool_type="avg", layout=layout, name="pool")
        ]
        feed = {"x": np.ascontiguousarray(data.transpose(order)), "w": np.ascontiguousarray(weight.transpose(order))}
        known = infer(heads, {"x": feed["x"].shape}, {})
        assert known.shapes["w"] == feed["w"].shape
        model = translate(heads, {"x": feed["x"].shape}, {}, {"w": feed["w"]})
        pooled.append(run_onnx(model, feed)[0])
    np.testing.assert_allclose(pooled[1].transpose(0, 3, 1, 2), pooled[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_model_of_another_dtype_stays_one(dtype, run_onnx):
    rs = np.random.RandomState(0)
    x = variable("x")
    body = node("Convolution", x, variable("w"), variable("b"), name="conv", num_filter=4, kernel="(3, 3)")
    body = node("BatchNorm", body, *map(variable, ("g", "be", "m", "v")), name="bn", fix_gamma=False)
    body = node("Activation", body, act_type="relu", name="act")
    heads = [
        node("softmax", node("FullyConnected", body, variable("fw"), name="fc", num_hidden=3, no_bias=True), name="out")
    ]
    known = infer(heads, {"x": (2, 3, 5, 5)}, {"x": dtype})
    weights = {
        name: (np.abs(rs.standard_normal(shape)) * 0.3 + 0.1).astype(known.dtypes[name])
        for name, shape in known.shapes.items()
        if name != "x"
    }
    assert known.dtypes["v"] == ("float32" if dtype == "float16" else "float64")
    data = rs.standard_normal((2, 3, 5, 5)).astype(dtype)
    (output,) = run_onnx(translate(heads, {"x": data.shape}, {"x": dtype}, weights), {"x": data})
    single = {name: array.astype("float32") for name, array in weights.items()}
    (expected,) = run_onnx(translate(heads, {"x": data.shape}, {}, single), {"x": data.astype("float32")})
    assert output.dtype == dtype
    np.testing.assert_allclose(output.astype("float32"), expected, rtol=5e-3, atol=1e-3)


def test_importing_the_operators_imports_neither_onnx_nor_an_engine():
    code = "import sys; import neuron_adapters.mxnet._onnx; print(sorted({'onnx', 'openvino', 'mxnet'} & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_a_shape_goes_back_through_a_long_chain():
    entry = variable("x")
    for index in range(60):
        entry = node("relu", entry, name=f"relu{index}")
    known = infer([node("elemwise_add", entry, variable("y"), name="sum")], {"y": (2, 3)}, {})
    assert known.shapes == {"x": (2, 3), "y": (2, 3)}


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="two operators called Flatten"):
        register(dataclasses.replace(find("relu"), name="Flatten"))
