"""Every operator of deep NumPy against the real MXNet: names, shapes, dtypes and values, by the engine and by NumPy."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx
from neuron_adapters.mxnet import _onnx
from neuron_adapters.mxnet._errors import BeyondOnnxError
from neuron_adapters.mxnet._inference import infer
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet._symbol_json import loads
from neuron_adapters.mxnet.numpy_form import NumpyForm
from neuron_adapters.mxnet.operators import names


@pytest.fixture(scope="session")
def deep_answers(ask_oracle: Any) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    folder = ask_oracle("deep")
    with np.load(folder / "deep.npz") as file:
        return json.loads((folder / "deep.json").read_text()), dict(file)


def test_deep_operator(deep_case: tuple[int, Any], deep_answers: Any, run_onnx: Any) -> None:
    number, case = deep_case
    record = deep_answers[0][number]
    assert "error" not in record, record["error"]
    expected = deep_answers[1][str(number)]
    inputs = {f"in{index}": array for index, array in enumerate(case.inputs)}
    heads = loads(record["symbol"])
    inferred = infer(
        heads, {key: array.shape for key, array in inputs.items()}, {key: str(a.dtype) for key, a in inputs.items()}
    )
    assert inferred.outputs == [(expected.shape, expected.dtype.name)]
    results = [NumpyForm(inferred).run(inputs)]
    try:
        model = _onnx.translate(inferred, {})
    except BeyondOnnxError:
        assert case.op in ("_npi_std", "_npi_var")
    else:
        assert [output.name for output in model.graph.output] == record["outputs"]
        if all(array.dtype.kind == "f" or np.abs(array.astype("f8")).max() < 1 << 24 for array in case.inputs):
            results.append(run_onnx(model, inputs))
    for (result,) in results:
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(result.astype("f8"), expected.astype("f8"), rtol=1e-4, atol=1e-5)


def test_deep_operator_on_special_values(deep_case: tuple[int, Any], deep_answers: Any, oracle: Any) -> None:
    """What a bound graph answers, by the engine or by NumPy, is what MXNet does (SPEC K3)."""
    number, case = deep_case
    if not case.inputs:
        return
    expected = deep_answers[1][f"{number}/strange"]
    inputs = {f"in{index}": array for index, array in enumerate(oracle("deep_cases").strange(case))}
    arrays = {key: mx.np.array(array, dtype=array.dtype) for key, array in inputs.items()}
    symbol = mx.sym.load_json(deep_answers[0][number]["symbol"])
    result = symbol.bind(mx.cpu(), arrays, grad_req="null").forward()[0].asnumpy()
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(result.astype("f8"), expected.astype("f8"), rtol=1e-3, atol=1e-4)


def test_every_deep_operator_has_a_case(oracle: Any) -> None:
    mine = {name for name in names() if name.startswith("_np") and own_name(name) == name}
    assert mine - {case.op for case in oracle("deep_cases").CASES} == {"_np_cumsum", "_npi_normal", "_npi_uniform"}


def test_arrays_of_mx_np() -> None:
    x = mx.np.array([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(x, mx.np.ndarray)
    assert x.dtype == np.float32
    np.testing.assert_array_equal((x > 2).asnumpy(), [[False, False], [True, True]])
    assert (x > 2).dtype == np.bool_
    assert x.sum().shape == ()
    assert x.sum().item() == 10.0
    np.testing.assert_array_equal(x[x > 2].asnumpy(), [3, 4])
    np.testing.assert_array_equal((1 - x / 2).asnumpy(), [[0.5, 0], [-0.5, -1]])
    np.testing.assert_array_equal((x @ x).asnumpy(), [[7, 10], [15, 22]])
    np.testing.assert_array_equal(mx.np.concatenate([x, mx.np.ones((1, 2))]).asnumpy(), [[1, 2], [3, 4], [1, 1]])
    assert mx.np.arange(3).dtype == np.float32
    np.testing.assert_allclose(mx.npx.softmax(x).asnumpy().sum(-1), 1, rtol=1e-6)
    assert isinstance(mx.npx.relu(x), mx.np.ndarray)
    assert type(x.as_nd_ndarray()) is mx.nd.NDArray
    assert type(x.as_nd_ndarray().as_np_ndarray()) is mx.np.ndarray
    x[0, 0] = 7
    assert x[0, 0].item() == 7
    with pytest.raises(AttributeError, match=r"mx.np.linalg is not in this package"):
        mx.np.linalg  # noqa: B018
    with pytest.raises(AttributeError, match=r"mx.npx.nonzero is not in this package"):
        mx.npx.nonzero  # noqa: B018


def test_switches() -> None:
    assert not mx.is_np_array()
    mx.npx.set_np()
    try:
        assert mx.is_np_array()
        assert mx.is_np_shape()
        with mx.np_shape(active=False):
            assert not mx.is_np_shape()
    finally:
        mx.npx.reset_np()
    assert not mx.is_np_array()
    assert not mx.is_np_shape()


def test_methods_that_classic_arrays_define_otherwise() -> None:
    x = mx.np.array([[1.0, 0.0], [3.0, 4.0]])
    assert x.flatten().tolist() == [1, 0, 3, 4]
    assert x.any(axis=0).tolist() == [True, True]
    assert not x.all()
    assert mx.np.ones((1, 2, 1)).squeeze().shape == (2,)
    assert mx.np.ones((1, 1)).squeeze().shape == ()
    assert type(x.flatten()) is type(x.all()) is type(pickle.loads(pickle.dumps(x))) is mx.np.ndarray
    with pytest.raises(mx.MXNetError, match="infers only"):
        x.attach_grad()
