"""Blocks of deep NumPy: ``F.np`` and ``F.npx`` in ``hybrid_forward``, on arrays and in graphs, against NumPy itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuron_adapters
from neuron_adapters import mx

pytestmark = pytest.mark.usefixtures("own_runtime")

X = np.linspace(-1.5, 2, 24).reshape(2, 3, 4).astype("f4")
Y = np.linspace(3, 1, 4).astype("f4")


@pytest.fixture(autouse=True)
def _by_numpy() -> Iterator[None]:
    mx.npx.set_np()
    yield
    mx.npx.reset_np()


class Net(mx.gluon.HybridBlock):
    """Layers, functions of both kinds, Python's operators, parts, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__(prefix="net_")
        with self.name_scope():
            self.dense = mx.gluon.nn.Dense(4, flatten=False, activation="relu")
            self.norm = mx.gluon.nn.LayerNorm()
            self.shift = self.params.get("shift", shape=(4,), init=mx.init.One())

    def hybrid_forward(self, F: Any, x: Any, shift: Any) -> Any:  # type: ignore[override]  # noqa: N803
        y = self.norm(self.dense(x)) + shift
        both = F.np.concatenate([y, 1 - F.np.exp(-y)], axis=-1)
        weights = F.npx.softmax(both, axis=-1)
        return F.np.where(weights > 0.1, both, 0.0).sum(axis=1), weights[:, 0], F.np.mean(both)


@pytest.fixture
def net() -> Net:
    block = Net()
    block.initialize(mx.init.Xavier())
    return block


def test_a_block_computes_the_same_on_arrays_and_as_a_graph(net: Net) -> None:
    plain = net(mx.np.array(X))
    net.hybridize()
    hybrid = net(mx.np.array(X))
    assert [type(out) for out in (*plain, *hybrid)] == [mx.np.ndarray] * 6
    assert [out.shape for out in hybrid] == [(2, 8), (2, 8), ()]
    for array, other in zip(plain, hybrid):
        np.testing.assert_allclose(array.asnumpy(), other.asnumpy(), rtol=1e-5, atol=1e-6)
    assert [type(net.shift.data()), type(net.dense.weight.list_data()[0])] == [mx.np.ndarray] * 2
    net.shift.data()[:] = 2
    assert net(mx.np.array(X))[2].item() > hybrid[2].item()


def test_its_export_runs_on_a_neuroncore(net: Net, tmp_path: Path) -> None:
    net.hybridize()
    expected = net(mx.np.array(X))
    net.export(str(tmp_path / "net"))
    block = mx.gluon.SymbolBlock.imports(
        str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params"), ctx=mx.neuron(3)
    )
    for output, other in zip(block(mx.np.array(X)), expected):
        np.testing.assert_allclose(output.asnumpy(), other.asnumpy(), rtol=1e-5, atol=1e-6)
    assert str(neuron_adapters.placement(block)[0]) == "NC3"


_CALLS = [
    "np.add(x, y)", "np.add(2, x)", "x - y", "2 - x", "x / y", "2 / x", "x % y", "x ** 2", "-x", "y > x", "1 > x",
    "x == x", "np.not_equal(x, 1)", "np.maximum(x, 0.5)", "np.minimum(x, y)", "np.hypot(x, y)", "np.abs(x)",
    "np.exp(x)", "np.floor(x)", "np.sign(x)", "np.logical_not(x)", "np.isnan(x)", "np.round(x, 1)", "np.square(x)",
    "np.sum(x)", "np.sum(x, axis=1)", "np.sum(x, (0, 2), keepdims=True)", "x.sum(axis=0)", "np.mean(x, 1)", "x.mean()",
    "np.std(x, axis=0, ddof=1)", "np.var(x)", "np.max(x, axis=2)", "x.min()", "np.prod(x, axis=0)", "np.any(x > 1, 0)",
    "np.all(x > -9)", "np.argmax(x, axis=1)", "x.argmin()", "np.cumsum(x, axis=1)", "np.clip(x, 0, 1)", "x.clip(-1, 0)", "np.clip(x, None, 1)", "np.clip(x, 0, None)",
    "np.sort(-x, axis=0)", "np.argsort(-x, axis=2)", "np.reshape(x, (4, 6))", "x.reshape(-1, 8)", "x.reshape((6, 4))",
    "np.transpose(x)", "x.transpose(1, 0, 2)", "x.T", "np.transpose(x, (2, 0, 1))", "x.flatten()", "np.ravel(x)",
    "np.expand_dims(x, 1)", "np.squeeze(np.expand_dims(x, 0))", "np.swapaxes(x, 0, 2)", "np.moveaxis(x, 0, 2)",
    "np.broadcast_to(y, (3, 4))", "np.flip(x, 1)", "np.flip(x)", "np.fliplr(x)", "np.array_split(x, 2, axis=2)[1]", "np.array_split(x, 3, axis=2)[1]", "np.squeeze(np.sum(x), axis=0)", "np.sum(np.sum(x), axis=-1)", "np.argmax(np.max(x), axis=0)", "np.roll(x, 1)", "np.repeat(x, 2, axis=1)", "np.tile(y, (2, 2))",
    "np.tril(np.reshape(x, (4, 6)), 1)", "np.concatenate([x, x], axis=1)", "np.concatenate((x, x))",
    "np.stack([x, x], axis=1)", "np.vstack([y, y])", "np.hstack([y, y])", "np.dstack([x, x])", "np.split(x, 2)[1]",
    "np.split(x, (1, 3), axis=2)[1]", "np.where(x > 0, x, y)", "np.where(x > 0, x, 1)", "np.where(x > 0, 0.5, x)",
    "np.where(x > 0, 1.0, 2.0)", "np.dot(x, y)", "np.matmul(x, y)", "np.tensordot(x, y, 1)",
    "np.tensordot(y, y, 1)", "np.reshape(np.matmul(y.reshape(1, 4), y.reshape(4, 1)), ())",
    "np.tensordot(x, x, ((0, 2), (0, 2)))", "np.einsum('ijk,k->ij', x, y)", "np.nan_to_num(x)", "np.copy(x)",
    "x + np.zeros((2, 3, 4))", "x + np.ones(4)", "x + np.full((4,), 3)", "x + np.arange(4)", "x + np.arange(1, 5)",
    "x + np.linspace(0, 1, 4)", "np.zeros_like(x)", "np.ones_like(x)", "np.full_like(x, 3)", "np.eye(4, k=1) * y",
    "np.identity(4) * y", "x[0]", "x[-1]", "x[1, :2]", "x[:, 1]", "x[:, ::2, 1:3]", "x[1, 2, 3]", "x[1:]",
    "x.astype('int32')", "np.pi * x", "x[()]", "np.delete(x, 1, axis=2)", "np.delete(x, slice(0, 2), axis=1)",
    "np.insert(y, 1, 5)", "np.hsplit(x, 3)[1]", "np.dsplit(x, 2)[1]", "np.atleast_3d(y)", "np.append(x, x, axis=0)",
    "np.concatenate([x, x], axis=None)", "np.linalg.norm(x)", "np.linalg.norm(x, axis=1)",
    "np.linalg.det(x[:, :, :3] + np.eye(3))", "np.linalg.inv(x[:, :, :3] + np.eye(3))", "np.pad(y, 1)",
]  # fmt: skip


@pytest.mark.parametrize("call", _CALLS)
def test_a_graph_computes_what_numpy_computes(call: str) -> None:
    names: dict[str, Any] = {"x": mx.sym.var("x").as_np_ndarray(), "y": mx.sym.var("y").as_np_ndarray()}
    graph = eval(call, {"np": mx.sym.np, **names})
    assert type(graph) is type(names["x"])
    expected = np.asarray(eval(call, {"np": np, "x": X, "y": Y}))
    arrays = {name: mx.nd.array(array) for name, array in (("x", X), ("y", Y)) if name in graph.list_arguments()}
    (result,) = graph.bind(mx.cpu(), arrays, grad_req="null").forward()
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.asnumpy(), expected, rtol=1e-5, atol=1e-6)
    if expected.dtype == bool:
        assert result.dtype == np.bool_


def test_elements_are_taken_as_in_numpy() -> None:
    x, places = mx.sym.var("x").as_np_ndarray(), mx.sym.var("places").as_np_ndarray()
    arrays = {"x": mx.nd.array(X), "places": mx.nd.array([1, 0], dtype="int32")}
    for axis in (None, 0, 2):
        result = mx.sym.np.take(x, places, axis=axis, mode="clip").bind(mx.cpu(), arrays, grad_req="null").forward()[0]
        np.testing.assert_array_equal(result.asnumpy(), np.take(X, [1, 0], axis=axis))


@pytest.mark.parametrize(
    "call",
    [
        "np.exp(x)", "x + 1", "x * y", "np.sum(x)", "np.sum(x, axis=0)", "np.any(x, axis=1)", "np.cumsum(x, axis=1)",
        "np.concatenate([x, y.reshape(1, 4)])", "np.tensordot(x, y, 1)", "y[2:2]", "np.where(x > 0, x, 1)",
    ],
)  # fmt: skip
def test_a_graph_computes_arrays_without_elements(call: str) -> None:
    names = {"x": mx.sym.var("x").as_np_ndarray(), "y": mx.sym.var("y").as_np_ndarray()}
    graph = eval(call, {"np": mx.sym.np, **names})
    arrays = {"x": np.zeros((0, 4), "f4"), "y": Y}
    expected = np.asarray(eval(call, {"np": np, **arrays}))
    bound = {name: mx.np.array(arrays[name]) for name in graph.list_arguments()}
    (result,) = graph.bind(mx.cpu(), bound, grad_req="null").forward()
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result.asnumpy(), expected)


def test_a_graph_draws() -> None:
    x = mx.sym.var("x").as_np_ndarray()
    drawn = [
        mx.sym.np.random.normal(x, 0.001), mx.sym.np.random.uniform(x, x + 0.001), mx.sym.np.random.rand(50, 40),
        mx.sym.np.random.randn(50, 40), mx.sym.np.random.randint(3, size=(50, 40)),
    ]  # fmt: skip
    executor = mx.sym.Group(drawn).bind(mx.cpu(), {"x": mx.np.array(X)}, grad_req="null")
    first, between, even, normal, whole = (output.asnumpy().copy() for output in executor.forward())
    assert (np.abs(first - X).max() < 0.01, ((between >= X) & (between <= X + 0.0011)).all()) == (True, True)
    assert (abs(even.mean() - 0.5) < 0.05, abs(normal.std() - 1) < 0.1, {*whole.ravel()}) == (True, True, {0, 1, 2})
    assert (executor.forward()[0].asnumpy() != first).any()
    with pytest.raises(mx.MXNetError, match="beside parameters that are symbols"):
        mx.sym.np.random.normal(x, 1, size=3)


def test_names_and_kinds_of_symbols() -> None:
    with mx.name.NameManager():
        x = mx.sym.var("x").as_np_ndarray()
        shown = [(x + x).name, (x * 2).name, mx.sym.np.sum(x, name="own").name, x.mean().name, mx.sym.npx.relu(x).name]
        assert shown == ["add0", "multiply_scalar0", "own", "mean0", "relu0"]
        classic = x.as_nd_ndarray() + 1
    assert (type(classic), classic.name) == (mx.sym.Symbol, "_plusscalar0")
    assert type(classic.as_np_ndarray()) is type(x.as_np_ndarray()) is type(x.astype("int32")) is type(abs(x))
    assert isinstance(x, mx.test_utils.np_symbol)
    assert not isinstance(classic, mx.test_utils.np_symbol)
    parts = mx.sym.np.split(x, 2)
    assert [type(part) for part in parts] == [type(x)] * 2
    assert mx.sym.numpy is mx.sym.np
    assert mx.nd.np is mx.np
    assert mx.nd.npx is mx.npx


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        ("np.fft(x)", mx.MXNetError, r"mx\.sym\.np\.fft is not in this package"),
        ("npx.nothing(x)", mx.MXNetError, r"mx\.sym\.npx\.nothing is not in this package"),
        ("np.sum(x, out=x)", ValueError, "do not write into others"),
        ("np.sum(3)", TypeError, "takes symbols as a, got"),
        ("np.sum(axis=1)", TypeError, "needs a"),
        ("np.expand_dims(x, 1, 2)", TypeError, "at most 2"),
        ("np.stack([x, 1])", TypeError, "takes symbols"),
        ("x[None]", IndexError, "whole numbers and slices"),
        ("x[x]", IndexError, "whole numbers and slices"),
        ("x + 'a'", TypeError, "a Symbol or a number"),
    ],
)
def test_what_a_graph_refuses(call: str, error: type[Exception], text: str) -> None:
    x = mx.sym.var("x").as_np_ndarray()
    with pytest.raises(error, match=text):
        eval(call, {"np": mx.sym.np, "npx": mx.sym.npx, "x": x})


def test_classic_blocks_stay_classic() -> None:
    mx.npx.reset_np()
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(2, in_units=4))
    net.initialize()
    classic = net(mx.nd.array(X[0]))
    assert (type(classic), type(net(mx.np.array(X[0])))) == (mx.nd.NDArray, mx.np.ndarray)
    net.hybridize()
    assert (type(net(mx.nd.array(X[0]))), type(net(mx.np.array(X[0])))) == (mx.nd.NDArray, mx.np.ndarray)
    assert type(net[0].weight.data()) is mx.nd.NDArray


def test_a_decorated_class_is_of_deep_numpy_wherever_it_is_used() -> None:
    mx.npx.reset_np()

    @mx.use_np
    class Both(mx.gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            with self.name_scope():
                self.w = self.params.get("w", shape=(4,), init=mx.init.One())

        @staticmethod
        def twice(x: Any) -> Any:
            return x * 2

        def hybrid_forward(self, F: Any, x: Any, w: Any) -> Any:  # type: ignore[override]  # noqa: N803
            assert mx.is_np_array()
            assert mx.is_np_shape()
            return self.twice(x) + w, F.np.sum(x).as_nd_ndarray()

    block = Both()
    block.initialize()
    for _hybrid in range(2):
        outputs = block(mx.np.array(Y))
        assert [type(out) for out in outputs] == [mx.np.ndarray, mx.nd.NDArray]
        assert [out.shape for out in outputs] == [(4,), ()]
        block.hybridize()
    assert type(block.w.data()) is mx.np.ndarray
    block.cast("float16")
    assert type(block.w.data()) is mx.np.ndarray
    assert not mx.is_np_array()


def test_files_and_arrays_of_deep_numpy(tmp_path: Path) -> None:
    file = str(tmp_path / "arrays")
    mx.npx.save(file, {"a": mx.np.ones((2,), "int32", "C", mx.cpu(1))})
    assert type(mx.npx.load(file)["a"]) is type(mx.nd.load(file)["a"]) is mx.np.ndarray
    with mx.np_array(False):
        assert type(mx.nd.load(file)["a"]) is mx.nd.NDArray
    assert mx.np.zeros((), ctx=mx.cpu(1)).context == mx.cpu(1)
    assert (mx.np.empty((2, 0)).shape, mx.np.ones(3).dtype, mx.np.zeros(2, "int8").dtype) == ((2, 0), "float32", "int8")
    for make in (mx.np.zeros, mx.np.ones, mx.np.empty):
        with pytest.raises(NotImplementedError, match="order C only"):
            make(2, order="F")
    for name in ("hanning", "hamming", "blackman"):
        window = getattr(mx.np, name)(5, dtype="float64")
        np.testing.assert_array_equal(window.asnumpy(), getattr(np, name)(5))
        assert getattr(mx.np, name)(5).dtype == "float32"
    assert mx.np.random.multinomial(3, []).shape == (0,)
    assert mx.np.random.multinomial(3, mx.np.array([]), size=(2, 3)).shape == (2, 3, 0)


def test_numpys_own_functions_take_these_arrays() -> None:
    x = mx.np.array(X[0])
    results = [
        np.mean(x, axis=0), np.sqrt(x), np.add(x, 1), np.concatenate([x, x]), np.linalg.norm(x), np.float64(2) * x,
        np.logaddexp(x, x),
    ]  # fmt: skip
    assert [type(result) for result in results] == [mx.np.ndarray] * len(results)
    assert {str(result.dtype) for result in results} == {"float32"}
    np.testing.assert_allclose(results[3].asnumpy(), np.concatenate([X[0], X[0]]))
    assert np.allclose(x, x)
    assert np.array(x).dtype == "float32"
    with pytest.raises(TypeError, match="convert one"):
        np.ones(4, "f4") + x
    assert str(mx.np.array([1, 2])) == "[1. 2.]"
    assert mx.np.array([1, 5]).clip(min=2, max=4).tolist() == [2, 4]
    assert (mx.np.finfo(mx.np.float32).max, mx.np.NINF, mx.np.PZERO) == (np.finfo("f4").max, -np.inf, 0)


def test_functions_of_arrays_have_mxnets_dtypes() -> None:
    whole, single, double = (mx.np.array([[1, 2], [3, 4]], dtype=dtype) for dtype in ("int32", "float32", "float64"))
    for call in (mx.np.mean, lambda x: x.mean(), lambda x: mx.np.percentile(x, 50)):
        assert [call(x).dtype for x in (whole, single, double)] == ["float32", "float32", "float64"]
    for call in (mx.np.average, mx.np.std, lambda x: x.var()):
        assert [call(x).dtype for x in (whole, single, double)] == ["int32", "float32", "float64"]
    assert mx.np.shape(single) == (2, 2)
    assert [type(each) for each in mx.np.nonzero(whole)] == [mx.np.ndarray] * 2
    counts, bounds = mx.np.histogram(single, bins=3, range=(0, 4))
    assert (counts.tolist(), bounds.dtype) == ([1, 1, 2], "float32")
    assert [each.shape for each in mx.np.meshgrid(single[0], whole[0])] == [(2, 2)] * 2
    assert mx.np.indices((2, 3)).dtype == "int32"
    assert mx.np.logspace(0, 2, 3).tolist() == [1, 10, 100]
    np.testing.assert_array_equal(mx.np.outer(single, single).asnumpy(), np.outer(single.asnumpy(), single.asnumpy()))
    assert (mx.np.product(whole).item(), mx.np.sometrue(whole).item()) == (24, True)
    assert mx.np.may_share_memory(single, single[0])
    assert not mx.np.may_share_memory(single, double)
    assert {"outer", "product", "zeros"} <= {*dir(mx.np)}


@pytest.mark.parametrize(
    ("name", "parameters", "mean"),
    [
        ("beta", (2, 2), 0.5), ("chisquare", (3,), 3), ("exponential", (2,), 2), ("exponential", (), 1),
        ("gamma", (2, 3), 6), ("gumbel", (1,), 1.5772), ("logistic", (1, 0.5), 1), ("lognormal", (0, 0.5), 1.1331),
        ("pareto", (4,), 1 / 3), ("power", (3,), 0.75), ("rayleigh", (2,), 2.5066), ("weibull", (2,), 0.8862),
    ],
)  # fmt: skip
def test_numbers_are_drawn_from_numpys_distributions(name: str, parameters: tuple[float, ...], mean: float) -> None:
    draw = getattr(mx.np.random, name)
    mx.np.random.seed(3)
    numbers = draw(*parameters, size=(200, 100))
    assert (type(numbers), numbers.shape, numbers.dtype) == (mx.np.ndarray, (200, 100), "float32")
    assert abs(numbers.mean().item() - mean) < 0.05 * max(1, mean)
    mx.np.random.seed(3)
    again = mx.np.zeros((200, 100))
    assert draw(*parameters, size=(200, 100), out=again) is again
    np.testing.assert_array_equal(numbers.asnumpy(), again.asnumpy())
    assert draw(*parameters, dtype="float64", ctx=mx.cpu(1)).context == mx.cpu(1)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(TypeError, match=r"gamma\(\) needs shape"):
        mx.np.random.gamma()
    with pytest.raises(TypeError, match="no parameter form"):
        mx.np.random.gumbel(form=3)
    with pytest.raises(ValueError, match="gamma"):
        mx.np.random.gamma(-1.0)
    vectors = mx.np.random.multivariate_normal(mx.np.array([0, 5]), mx.np.eye(2) * 1e-8, size=4)
    np.testing.assert_allclose(vectors.asnumpy(), [[0, 5]] * 4, atol=1e-2)
    order = mx.np.arange(50)
    mx.np.random.shuffle(order)
    assert sorted(order.tolist()) == [*range(50)] != order.tolist()
    assert mx.np.random.randn(2, dtype="float64").dtype == mx.np.random.rand(2, dtype="float64").dtype == "float64"


def test_arrays_without_elements_pass_a_hybridized_block() -> None:
    class Parts(mx.gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:  # type: ignore[override]  # noqa: N803
            return F.np.concatenate([x, x * 2]), F.np.sum(x, axis=0), x.reshape(-1), F.npx.relu(x)

    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(3, in_units=2), Parts())
    net.initialize()
    net.hybridize()
    assert [out.shape for out in net(mx.np.zeros((0, 2)))] == [(0, 3), (3,), (0,), (0, 3)]
    assert [out.shape for out in net(mx.np.zeros((4, 2)))] == [(8, 3), (3,), (12,), (4, 3)]
