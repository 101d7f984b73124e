"""Random arrays: of which distribution, in which shape, and the same again for a seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

#: Parameters, the mean, and the standard deviation.
DISTRIBUTIONS: dict[str, tuple[dict[str, float], float, float]] = {
    "uniform": ({"low": -1.5, "high": 3.0}, 0.75, 4.5 / math.sqrt(12)),
    "normal": ({"loc": 10.0, "scale": 0.5}, 10, 0.5),
    "gamma": ({"alpha": 9.0, "beta": 0.5}, 4.5, 1.5),
    "exponential": ({"scale": 0.25}, 0.25, 0.25),
    "poisson": ({"lam": 4.0}, 4, 2),
    "negative_binomial": ({"k": 3, "p": 0.4}, 4.5, math.sqrt(1.8) / 0.4),
    "generalized_negative_binomial": ({"mu": 2.0, "alpha": 0.3}, 2, math.sqrt(2 + 0.3 * 4)),
}


def _like(close: np.ndarray, mean: float, deviation: float) -> None:
    np.testing.assert_allclose([close.mean(), close.std()], [mean, deviation], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name: str) -> None:
    """By numbers, by an array for each parameter, in the form of an array, and into one."""
    parameters, mean, deviation = DISTRIBUTIONS[name]
    draw = getattr(mx.nd.random, name)
    mx.random.seed(7)
    first = draw(**parameters, shape=(100, 200), dtype="float64")
    assert (first.shape, first.dtype) == ((100, 200), np.float64)
    _like(first.asnumpy(), mean, deviation)
    mx.random.seed(7)
    np.testing.assert_array_equal(draw(**parameters, shape=(100, 200), dtype="float64").asnumpy(), first.asnumpy())
    rows = {key: mx.nd.array([value, value], dtype="float16") for key, value in parameters.items()}
    each = draw(**rows, shape=10000)
    assert (each.shape, each.dtype) == ((2, 10000), np.float16)
    for row in each.asnumpy().astype("f8"):
        _like(row, mean, deviation)
    assert draw(**rows).shape == (2,)
    assert draw(**parameters).shape == (1,)
    out = mx.nd.zeros((100, 200))
    assert draw(**parameters, out=out) is out
    _like(out.asnumpy(), mean, deviation)
    like = {"lam": 4.0} if name == "exponential" else parameters
    _like(getattr(mx.nd.random, f"{name}_like")(data=mx.nd.ones((100, 200)), **like).asnumpy(), mean, deviation)


def test_classes() -> None:
    mx.random.seed(1)
    shares = mx.nd.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0]])
    drawn, likely = mx.nd.random.multinomial(shares, shape=(50, 100), get_prob=True)
    assert (drawn.shape, drawn.dtype, likely.shape) == ((2, 50, 100), np.int32, (2, 50, 100))
    counts = [np.bincount(row.ravel(), minlength=3) / 5000 for row in drawn.asnumpy()]
    np.testing.assert_allclose(counts, shares.asnumpy(), atol=0.03)
    expected = np.log(np.take_along_axis(shares.asnumpy(), drawn.asnumpy().reshape(2, -1), 1))
    np.testing.assert_allclose(likely.asnumpy().reshape(2, -1), expected, rtol=1e-5)
    assert mx.nd.random.multinomial(mx.nd.array([0, 1])).asnumpy().tolist() == [1]
    with pytest.raises(mx.MXNetError, match="uint8 cannot count"):
        mx.nd.random.multinomial(mx.nd.zeros((300,)), dtype="uint8")


def test_whole_numbers_and_order() -> None:
    drawn = mx.nd.random.randint(-3, 4, shape=1000, dtype="int64")
    assert drawn.dtype == np.int64
    assert set(drawn.asnumpy().tolist()) == set(range(-3, 4))
    assert mx.nd.random.randint(0, 5).dtype == np.int32
    mixed = mx.nd.random.shuffle(mx.nd.arange(0, 30).reshape(10, 3))
    assert sorted(mixed.asnumpy()[:, 0].tolist()) == list(range(0, 30, 3))
    mx.random.seed(-(2**31))
    classes, expected, of_drawn = mx.nd.contrib.rand_zipfian(mx.nd.array([0, 3]), 4000, 8)
    assert 0 <= classes.asnumpy().min() <= classes.asnumpy().max() < 8
    zeros = float((classes.asnumpy() == 0).sum())
    assert zeros == pytest.approx(expected.asnumpy()[0], rel=0.1)
    assert of_drawn.shape == (4000,)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mx.nd.random.normal(0, -1, (2,)), "scale < 0"),
        (lambda: mx.nd.random.poisson(-1), "poisson"),
        (lambda: mx.nd.random.randint(5, 5), "randint"),
        (lambda: mx.nd.random.normal(mx.nd.ones((2,)), 1), "an array for each parameter"),
        (lambda: mx.nd.random.normal(mx.nd.ones((2,)), mx.nd.ones((3,))), "must be the same"),
        (lambda: mx.random.seed("x"), "whole number"),
        (lambda: mx.nd.random.gamma_like(mx.nd.ones((2,)), lam=3), "takes alpha, beta"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn(call: Any, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        call()
