"""Graphs as functions of arrays, arrays without numbers, and memory shared with NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from neuron_adapters import mx
from neuron_adapters.mx import MXNetError
from neuron_adapters.mxnet.ndarray._invoke import invoke


def test_a_graph_is_called_as_a_function() -> None:
    data = mx.sym.var("data")
    graph = mx.sym.BatchNorm(data, name="bn", fix_gamma=False) * 2 + data
    op, names = mx.nd.CachedOp(graph), graph.list_inputs()
    arrays = {name: mx.nd.ones((2,)) * (number + 1) for number, name in enumerate(names)}
    for rows in (3, 5):
        arrays["data"] = mx.nd.array(np.arange(rows * 2).reshape(rows, 2))
        gamma, beta, mean, var = (arrays[name].asnumpy() for name in names[1:])
        expected = (
            2 * ((arrays["data"].asnumpy() - mean) / np.sqrt(var + 1e-3) * gamma + beta) + arrays["data"].asnumpy()
        )
        np.testing.assert_allclose(op(*arrays.values()).asnumpy(), expected, rtol=1e-5)
    arrays["bn_moving_mean"][:] = 0
    out = mx.nd.zeros((5, 2))
    assert op(*arrays.values(), out=out) is out
    np.testing.assert_allclose(out.asnumpy(), expected + 2 * mean / np.sqrt(var + 1e-3) * gamma, rtol=1e-5)
    with pytest.raises(MXNetError, match="takes 5 arrays"):
        op(arrays["data"])
    with pytest.raises(TypeError, match="takes NDArrays, got int"):
        op(*[1] * 5)


def test_an_array_without_numbers() -> None:
    with mx.np_shape():
        empty, some = mx.nd.ones((0, 3)), mx.nd.ones((2, 3))
        assert mx.nd.concat(empty, some, empty, dim=0).shape == (2, 3)
        assert mx.nd.sum(empty, axis=0).asnumpy().tolist() == [0, 0, 0]
        assert (empty + mx.nd.ones((1, 3))).shape == mx.nd.broadcast_add(empty, mx.nd.ones((1, 3))).shape == (0, 3)
        assert mx.nd.FullyConnected(empty, some, num_hidden=2, no_bias=True).shape == (0, 2)
        assert mx.nd.slice(some, begin=(1,), end=(1,)).shape == (0, 3)
        assert mx.nd.linalg.det(mx.nd.eye(2)).shape == ()
    assert mx.nd.linalg.det(mx.nd.eye(2)).shape == (1,)
    assert mx.nd.one_hot(mx.nd.array([1, 2]), depth=0).shape == (2, 0)
    with pytest.raises(MXNetError, match="does not follow"):
        mx.nd.relu(empty)


def test_what_deep_numpy_makes_of_no_numbers() -> None:
    """The answers are those of MXNet 1.9.1."""
    for name, answer in {"_np_sum": 0, "_np_prod": 0, "_npi_mean": 0, "_np_any": False, "_np_all": True}.items():
        for attrs, shape in (({"axis": "(0,)"}, (3,)), ({}, ())):
            with mx.np_shape():
                result = invoke(name, [mx.np.ones((0, 3))], {}, attrs).asnumpy()
            assert (result.shape, set(result.reshape(-1).tolist())) == (shape, {answer}), name


def test_what_a_softmax_makes_of_no_numbers() -> None:
    with mx.np_shape():
        for name in ("softmax", "log_softmax", "softmin"):
            assert [invoke(name, [mx.nd.ones(shape)], {}, {}).shape for shape in ((0, 3), (2, 0))] == [(0, 3), (2, 0)]
        assert [mx.nd.diag(mx.nd.ones((2, 3)), k=k).shape for k in (-2, -1, 3)] == [(0,), (1,), (0,)]


def test_what_is_refused_as_mxnet_refuses_it() -> None:
    x = mx.nd.ones((1, 1, 2, 5))
    for text, call in (
        ("as many columns", lambda: mx.nd.khatri_rao(mx.nd.ones((2, 1)), mx.nd.ones((4, 3)))),
        ("below the sizes", lambda: mx.nd.pad(x, mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 0, 0))),
        ("must not have a 0", lambda: mx.nd.slice(mx.nd.ones((4,)), begin=(1,), end=(3,), step=(0,))),
        ("leave some of axis 0", lambda: mx.nd.slice_axis(mx.nd.ones((1,)), axis=0, begin=0, end=2)),
        ("leave some of axis 0", lambda: mx.nd.slice_axis(mx.nd.ones((3,)), axis=0, begin=-4, end=2)),
        ("must have one axis", lambda: invoke("_unravel_index", [mx.nd.ones((2, 2))], {}, {"shape": "(3, 4)"})),
        ("must be a float", lambda: mx.nd.norm(x, out_dtype="int32")),
        ("must be square", lambda: invoke("_npi_identity", [], {}, {"shape": "(2, 3)"})),
        ("3.2.* is out of bounds", lambda: mx.nd.take(mx.nd.ones((4,)), mx.nd.array([3.2]), mode="raise")),
        ("3.2.* is out of bounds", lambda: mx.nd.gather_nd(mx.nd.ones((4,)), mx.nd.array([[3.2]]))),
    ):
        with pytest.raises(MXNetError, match=text):
            call()


def test_numpys_memory_is_shared_as_often_as_asked() -> None:
    source = np.zeros((2, 2), "f")
    for number in (1, 2):
        shared = mx.nd.from_numpy(source)
        shared[0, 0] = number
        assert source[0, 0] == number
        assert not source.flags.writeable
    locked = mx.nd.from_numpy(np.frombuffer(b"1234", np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        locked[0] = 1


def test_sparse_arrays_are_said_to_be_out() -> None:
    """The classes are there for ``isinstance``."""
    from neuron_adapters.mxnet.ndarray.sparse import CSRNDArray, RowSparseNDArray

    dense = mx.nd.sparse.zeros("default", (2,))
    assert dense.shape == (2,)
    assert not isinstance(dense, (CSRNDArray, RowSparseNDArray))
    assert mx.nd.sparse.dot(mx.nd.ones((2, 3)), mx.nd.ones((3, 2))).shape == (2, 2)
    for call in (
        lambda: mx.nd.sparse.csr_matrix((2, 2)),
        lambda: mx.nd.sparse.row_sparse_array((2, 2)),
        lambda: mx.nd.sparse.zeros("csr", (2, 2)),
        lambda: mx.nd.sparse.array(np.eye(2)),
        lambda: CSRNDArray(1),
    ):
        with pytest.raises(MXNetError, match="sparse arrays are not in this package"):
            call()


def test_what_numpy_refuses_is_an_error_of_mxnet() -> None:
    x = mx.np.ones((10, 10))
    for call in (
        lambda: x.reshape((1,)),
        lambda: mx.np.reshape(x, (-1, 3)),
        lambda: mx.np.concatenate([x, mx.np.ones((3, 2))]),
        lambda: mx.np.random.choice(3, 5, replace=False),
    ):
        with pytest.raises(MXNetError, match=r"reshape: |concatenate: |choice\(\): "):
            call()


def test_elements_are_drawn() -> None:
    drawn = mx.np.random.choice(mx.np.array([1.5, 2.5, 3.5]), (1000,), p=mx.np.array([0.1, 0.9, 0]))
    assert (drawn.shape, drawn.dtype) == ((1000,), np.float32)
    assert set(drawn.tolist()) == {1.5, 2.5}
    assert (drawn.asnumpy() == 2.5).mean() == pytest.approx(0.9, abs=0.05)
    assert sorted(mx.np.random.choice(5, 5, replace=False).tolist()) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError):
        mx.np.random.choice(shape=())


def test_an_operator_without_parameters_takes_any_keyword() -> None:
    """As MXNet's do: its own losses rely on it."""
    x, y = mx.nd.array([1, 5]), mx.nd.array([2, 3])
    assert mx.nd.broadcast_maximum(x, y, axis=1).asnumpy().tolist() == [2, 5]
    assert mx.nd.relu(x, axes=3).asnumpy().tolist() == [1, 5]
    symbol = mx.sym.broadcast_maximum(mx.sym.var("x"), mx.sym.var("y"), axis=1)
    assert symbol.eval(x=x, y=y)[0].asnumpy().tolist() == [2, 5]


def test_an_array_of_numpys_shows_numpys_dtype_and_format() -> None:
    x = mx.np.array(3.14159)
    assert f"{x:0.3g}" == "3.14"
    assert type(x.dtype) is type(np.dtype("f4"))
    assert mx.np.ones((2,), dtype=mx.np.bool).dtype == np.bool_
    with pytest.raises(TypeError):
        format(mx.np.ones((2,)), "30")
    assert x.copy("C").shape == ()
    with pytest.raises(NotImplementedError):
        x.copy("F")
    counts = mx.np.random.multinomial(10000, mx.np.array([0.1, 0.2, 0.3, 0.4]), size=(3,))
    assert (counts.shape, counts.dtype, counts.asnumpy().sum()) == ((3, 4), np.int64, 30000)
    np.testing.assert_allclose(counts.asnumpy().mean(0) / 10000, [0.1, 0.2, 0.3, 0.4], atol=0.03)
    with pytest.raises(MXNetError, match=r"multinomial\(\)"):
        mx.np.random.multinomial(1, [0.9, 0.9, 0.9])
