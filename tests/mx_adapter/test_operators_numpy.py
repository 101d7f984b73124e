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

#: Operators that NumPy computes, in some cases of them.
BEYOND = {
    "_npi_average", "_npi_bitwise_and", "_npi_bitwise_and_scalar", "_npi_bitwise_not", "_npi_bitwise_or",
    "_npi_bitwise_or_scalar", "_npi_bitwise_xor", "_npi_bitwise_xor_scalar", "_npi_cholesky", "_npi_eig", "_npi_eigh",
    "_npi_eigvals", "_npi_eigvalsh", "_npi_lcm", "_npi_lcm_scalar", "_npi_norm", "_npi_percentile", "_npi_pinv",
    "_npi_pinv_scalar_rcond", "_npi_solve", "_npi_std", "_npi_svd", "_npi_tensorinv", "_npi_tensorsolve", "_npi_var",
}  # fmt: skip


@pytest.fixture(scope="session")
def deep_answers(ask_oracle: Any) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    folder = ask_oracle("deep")
    with np.load(folder / "deep.npz") as file:
        return json.loads((folder / "deep.json").read_text()), dict(file)


def test_deep_operator(deep_case: tuple[int, Any], deep_answers: Any, run_onnx: Any) -> None:
    number, case = deep_case
    record = deep_answers[0][number]
    assert "error" not in record, record["error"]
    names = [str(number), *(f"{number}/{place}" for place in range(1, len(record["outputs"])))]
    expected = [deep_answers[1][name] for name in names]
    inputs = {f"in{index}": array for index, array in enumerate(case.inputs)}
    heads = loads(record["symbol"])
    inferred = infer(
        heads, {key: array.shape for key, array in inputs.items()}, {key: str(a.dtype) for key, a in inputs.items()}
    )
    assert inferred.outputs == [(each.shape, each.dtype.name) for each in expected]
    results = [NumpyForm(inferred).run(inputs)]
    try:
        model = _onnx.translate(inferred, {})
    except BeyondOnnxError:
        assert case.op in BEYOND
    else:
        assert [output.name for output in model.graph.output] == record["outputs"]
        if all(array.dtype.kind == "f" or np.abs(array.astype("f8")).max() < 1 << 24 for array in case.inputs):
            results.append(run_onnx(model, inputs))
    for computed in results:
        for result, answer in zip(computed, expected, strict=True):
            assert (result.shape, result.dtype) == (answer.shape, answer.dtype)
            np.testing.assert_allclose(result.astype("f8"), answer.astype("f8"), rtol=1e-4, atol=1e-5)


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
    assert mine - {case.op for case in oracle("deep_cases").CASES} == {
        "_np_cumsum",
        "_npi_delete",
        "_npi_normal",
        "_npi_uniform",
    }


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
    with pytest.raises(AttributeError, match=r"mx.np.mirr is not in this package"):
        mx.np.mirr  # noqa: B018
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


def test_matrices_of_mx_np() -> None:
    linalg = mx.np.linalg
    rng = np.random.default_rng(3)
    data = rng.standard_normal((2, 3, 3)).astype("f") + 3 * np.eye(3, dtype="f")
    symmetric = data @ data.transpose(0, 2, 1)
    x, y, right = mx.np.array(data), mx.np.array(symmetric), mx.np.array(data[:, 0])
    for result, expected in (
        (linalg.inv(x), np.linalg.inv(data)),
        (linalg.pinv(x), np.linalg.inv(data)),
        (linalg.pinv(x, mx.np.array([1e-5, 1e-5])), np.linalg.inv(data)),
        (linalg.det(x), np.linalg.det(data)),
        (linalg.det(x[0]), np.linalg.det(data[0])),
        (linalg.slogdet(x)[1], np.linalg.slogdet(data)[1]),
        (linalg.cholesky(y), np.linalg.cholesky(symmetric)),
        (linalg.solve(x, right), np.linalg.solve(data, data[:, 0][..., None])[..., 0]),
        (linalg.eigvalsh(y), np.linalg.eigvalsh(symmetric)),
        (linalg.eigh(y)[0], np.linalg.eigh(symmetric)[0]),
        (linalg.tensorinv(x[0], 1), np.linalg.tensorinv(data[0], 1)),
        (linalg.tensorsolve(x[0], right[0]), np.linalg.tensorsolve(data[0], data[0, 0])),
        (linalg.norm(x), np.linalg.norm(data.ravel())),
        (linalg.norm(x, axis=1), np.linalg.norm(data, axis=1)),
        (linalg.norm(x, ord=np.inf, axis=(1, 2), keepdims=True), np.linalg.norm(data, np.inf, (1, 2), True)),
        (linalg.norm(x, ord="nuc", axis=(1, 2)), np.linalg.norm(data, "nuc", (1, 2))),
        (linalg.norm(x[0], ord=2), np.linalg.norm(data[0], 2)),
    ):
        assert isinstance(result, mx.np.ndarray)
        np.testing.assert_allclose(result.asnumpy(), expected, rtol=1e-4, atol=1e-5)
    left, values, vectors = linalg.svd(x)
    np.testing.assert_allclose(((left * values[:, None]) @ vectors).asnumpy(), data, rtol=1e-4, atol=1e-5)
    for order, axis in (("nuc", 1), ("other", None), (3, (0, 1)), (None, (0, 1, 2))):
        with pytest.raises(mx.MXNetError, match="norm"):
            linalg.norm(x, ord=order, axis=axis)
    assert linalg.matrix_rank(x[0]) == 3
    with pytest.raises(mx.MXNetError, match=r"mx\.np\.linalg\.other is not in this package"):
        linalg.other  # noqa: B018
    with pytest.raises(mx.MXNetError, match="not positive definite"):
        linalg.cholesky(-y)
    with pytest.raises(mx.MXNetError, match="complex"):
        linalg.eigvals(mx.np.array([[0, -1], [1, 0]]))


def test_bits_and_places_of_mx_np() -> None:
    x = mx.np.array([6, 3], dtype="int32")
    assert mx.np.bitwise_xor(x, 5).asnumpy().tolist() == [3, 6]
    assert mx.np.invert(x).asnumpy().tolist() == [-7, -4]
    assert mx.np.indices((2, 2)).dtype == np.int32
    assert mx.np.blackman(4).dtype == np.float32
    assert mx.np.pad(x, (1, 0)).asnumpy().tolist() == [0, 6, 3]
    np.testing.assert_array_equal(mx.np.rot90(mx.np.array([[1, 2]])).asnumpy(), [[2], [1]])
    first, _second = mx.np.hsplit(mx.np.ones((2, 4)), 2)
    assert first.shape == (2, 2)
