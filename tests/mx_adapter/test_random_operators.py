"""Random operators: of the distributions that they are called by, anew at each run, and the same after a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

#: Parameters of each distribution, with its mean and variance.
DISTRIBUTIONS: dict[str, tuple[dict[str, float], float, float]] = {
    "uniform": ({"low": -1.0, "high": 3.0}, 1.0, 16 / 12),
    "normal": ({"loc": 2.0, "scale": 0.5}, 2.0, 0.25),
    "gamma": ({"alpha": 3.0, "beta": 0.5}, 1.5, 0.75),
    "exponential": ({"lam": 4.0}, 0.25, 1 / 16),
    "poisson": ({"lam": 3.0}, 3.0, 3.0),
    "negative_binomial": ({"k": 4, "p": 0.4}, 6.0, 15.0),
    "generalized_negative_binomial": ({"mu": 2.0, "alpha": 0.5}, 2.0, 4.0),
}
COUNT = 40000


def judge(numbers: np.ndarray, mean: float, variance: float) -> None:
    """Within five standard errors of the mean, and near the variance."""
    assert abs(numbers.mean() - mean) < 5 * np.sqrt(variance / numbers.size)
    assert abs(numbers.var() / variance - 1) < 0.2


def bound(symbol: Any, **arrays: Any) -> Any:
    return symbol.bind(mx.cpu(), arrays, grad_req="null")


def drawn(call: Callable[[], Any]) -> np.ndarray:
    result: np.ndarray = call().asnumpy()
    return result


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution(name: str) -> None:
    """In graphs and of arrays; parameters as numbers and as arrays."""
    parameters, mean, variance = DISTRIBUTIONS[name]
    graph = bound(getattr(mx.sym._internal, f"_random_{name}")(shape=(COUNT,), **parameters))
    assert graph._plan.lowered is not None
    many = {key: np.full(2, value, "f") for key, value in parameters.items()}
    symbols = [mx.sym.var(key) for key in many]
    sampled = bound(
        getattr(mx.sym._internal, f"_sample_{name}")(*symbols, shape=(COUNT // 2,)),
        **{key: mx.nd.array(array) for key, array in many.items()},
    )
    user = {"lam": "scale"} if name == "exponential" else {}
    told = {user.get(key, key): 1 / value if key in user else value for key, value in parameters.items()}
    arrays = {key: mx.nd.array(np.full(2, value)) for key, value in told.items()}
    draws: list[Callable[[], Any]] = [
        lambda: graph.forward()[0],
        lambda: sampled.forward()[0],
        lambda: getattr(mx.nd, f"random_{name}")(shape=(COUNT,), **parameters),
        lambda: getattr(mx.nd.random, name)(shape=(COUNT,), **told),
        lambda: getattr(mx.nd.random, name)(shape=(COUNT // 2,), **arrays),
        lambda: getattr(mx.nd, f"sample_{name}")(*map(mx.nd.array, many.values()), shape=(COUNT // 2,)),
    ]
    for draw in draws:
        mx.random.seed(7)
        first, second = drawn(draw), drawn(draw)
        judge(first, mean, variance)
        assert not np.array_equal(first, second)
        mx.random.seed(7)
        np.testing.assert_array_equal(drawn(draw), first)


def test_the_rest_of_the_graph_sees_one_draw() -> None:
    noise = mx.sym.random.normal(shape=(3, 4))
    executor = bound(
        mx.sym.Group([noise, noise * 2, mx.sym.broadcast_add(noise, mx.sym.var("x"))]), x=mx.nd.ones((1, 4))
    )
    for _ in range(3):
        first, double, moved = (output.asnumpy() for output in executor.forward())
        np.testing.assert_allclose(double, 2 * first, rtol=1e-6)
        np.testing.assert_allclose(moved, first + 1, rtol=1e-6)


def test_whole_numbers() -> None:
    numbers = drawn(lambda: mx.nd.random.randint(-2, 3, shape=(1000,)))
    assert numbers.dtype == np.int32
    assert set(numbers) == {-2, -1, 0, 1, 2}
    graph = bound(mx.sym.random.randint(5, 7, shape=(1000,)))
    assert set(graph.forward()[0].asnumpy()) == {5, 6}


def test_multinomial() -> None:
    shares = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], "f")
    graph = bound(mx.sym.random.multinomial(mx.sym.var("p"), shape=(5000,), get_prob=True), p=mx.nd.array(shares))
    assert graph._plan.lowered is not None
    for places, logs in (
        [output.asnumpy() for output in graph.forward()],
        [array.asnumpy() for array in mx.nd.random.multinomial(mx.nd.array(shares), shape=5000, get_prob=True)],
    ):
        assert places.shape == logs.shape == (2, 5000)
        assert places.dtype == np.int32
        for row, share in zip(places, shares):
            np.testing.assert_allclose(np.bincount(row, minlength=3) / 5000, share, atol=0.05)
        np.testing.assert_allclose(logs[0], np.log(shares[0][places[0]]), rtol=1e-4)
    assert mx.nd.random.multinomial(mx.nd.array([0.0, 1.0])).asnumpy().tolist() == [1]


def test_shuffle() -> None:
    rows = np.arange(40, dtype="f").reshape(20, 2)
    graph = bound(mx.sym.random.shuffle(mx.sym.var("x")), x=mx.nd.array(rows))
    for shuffled in (graph.forward()[0].asnumpy(), mx.nd.random.shuffle(mx.nd.array(rows)).asnumpy()):
        assert not np.array_equal(shuffled, rows)
        np.testing.assert_array_equal(shuffled[np.argsort(shuffled[:, 0])], rows)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout_at_inference(p: float) -> None:
    x = np.ones((50, 60), "f")
    graph = bound(mx.sym.Dropout(mx.sym.var("x"), p=p, mode="always"), x=mx.nd.array(x))
    for result in (graph.forward()[0].asnumpy(), mx.nd.Dropout(mx.nd.array(x), p=p, mode="always").asnumpy()):
        assert abs((result == 0).mean() - p) < 0.05
        np.testing.assert_allclose(result[result != 0], 1 / (1 - p) if p < 1 else 0, rtol=1e-6)
    rows = mx.nd.Dropout(mx.nd.array(x), p=0.5, mode="always", axes=(1,)).asnumpy()
    assert set(rows.std(1)) == {0.0}
    assert 0 < rows[:, 0].mean() < 2


def test_what_no_distribution_has() -> None:
    with pytest.raises(mx.MXNetError, match="scale"):
        bound(mx.sym.random.normal(scale=-1, shape=(2,)))
    with pytest.raises(ValueError, match="cannot draw with these parameters: scale"):
        mx.nd.random.normal(scale=-1)
    with pytest.raises(TypeError, match="an array for each parameter"):
        mx.nd.random.normal(mx.nd.zeros((2,)), 1.0)


def test_one_seed_for_graphs_arrays_and_monitored_runs() -> None:
    graph = bound(mx.sym.Group([mx.sym.random.normal(shape=(3,)), mx.sym.random.uniform(shape=(2,))]))
    assert graph._plan.lowered is not None

    def numbers(seed: int) -> list[list[float]]:
        mx.random.seed(seed)
        return [output.asnumpy().tolist() for output in graph.forward()]

    first = numbers(3)
    graph.set_monitor_callback(lambda _name, _array: None)
    assert numbers(3) == first
    mx.np.random.seed(3)
    assert [mx.nd.random.normal(shape=(3,)).asnumpy().tolist(), mx.np.random.uniform(size=2).tolist()] == first
    assert numbers(4) != first


def test_classes_that_a_dtype_cannot_count() -> None:
    with pytest.raises(mx.MXNetError, match="uint8 cannot count 300 classes"):
        mx.nd.sample_multinomial(mx.nd.ones((300,)), dtype="uint8")
    with pytest.raises(mx.MXNetError, match="uint8 cannot count 300 classes"):
        bound(mx.sym.random.multinomial(mx.sym.var("p"), dtype="uint8"), p=mx.nd.ones((300,)))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_in_the_form_of_a_symbol(name: str) -> None:
    parameters, mean, variance = DISTRIBUTIONS[name]
    symbol = getattr(mx.sym.random, f"{name}_like")(mx.sym.var("x"), **parameters)
    (numbers,) = bound(symbol, x=mx.nd.ones((100, 200))).forward()
    assert numbers.shape == (100, 200)
    judge(numbers.asnumpy(), mean, variance)
    with pytest.raises(TypeError, match="got shape"):
        getattr(mx.sym.random, f"{name}_like")(mx.sym.var("x"), shape=3)


def test_classes_that_small_numbers_are_likelier_of() -> None:
    classes, true_counts, sampled_counts = mx.sym.contrib.rand_zipfian(mx.sym.var("true"), 4000, 8)
    executor = bound(mx.sym.Group([classes, true_counts, sampled_counts]), true=mx.nd.array([0, 3]))
    drawn, expected, of_drawn = (output.asnumpy() for output in executor.forward())
    assert (drawn.dtype, expected.dtype, of_drawn.dtype) == (np.int64, np.float64, np.float64)
    assert 0 <= drawn.min() <= drawn.max() < 8
    np.testing.assert_allclose(expected, 4000 * np.log([2, 5 / 4]) / np.log(9))
    assert (drawn == 0).sum() == pytest.approx(expected[0], rel=0.1)
    np.testing.assert_allclose(of_drawn, 4000 * np.log((drawn + 2) / (drawn + 1)) / np.log(9))
    told = mx.nd.contrib.rand_zipfian(mx.nd.array([0, 3]), 4, 8)
    assert [each.dtype for each in told] == [np.int64, np.float64, np.float64]


def test_different_classes() -> None:
    """As many as asked for in each row, and how often was drawn for them."""
    draw = mx.sym._internal._sample_unique_zipfian(range_max=50, shape=(3, 40))
    classes, tries = (output.asnumpy() for output in bound(draw).forward())
    assert [len(set(row)) for row in classes.tolist()] == [40] * 3
    assert 0 <= classes.min() <= classes.max() < 50
    assert (tries > 40).all()
    many = mx.nd._internal._sample_unique_zipfian(range_max=50, shape=(400, 1))[0].asnumpy()
    assert (many == 0).mean() == pytest.approx(np.log(1.5) / np.log(50), abs=0.06)
    with pytest.raises(mx.MXNetError, match="range_max must be at least 40"):
        mx.nd._internal._sample_unique_zipfian(range_max=30, shape=(3, 40))
