"""Random graphs on random values: what a call gives is what NumPy's form of the graph gives, which the tests of each
operator compare with the real MXNet (SPEC K3)."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuron_adapters import mx

UNARY = [
    "abs", "cbrt", "ceil", "erf", "exp", "expm1", "floor", "log", "log1p", "logical_not", "negative", "reciprocal",
    "relu", "rint", "round", "rsqrt", "sigmoid", "sign", "softsign", "sqrt", "square", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "broadcast_add", "broadcast_div", "broadcast_equal", "broadcast_greater", "broadcast_maximum", "broadcast_minimum",
    "broadcast_mod", "broadcast_mul", "broadcast_power", "broadcast_sub",
]  # fmt: skip
INTEGERS = ["abs", "negative", "relu", "sign", "square"]
SCALAR = [operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.gt, operator.eq]
FLOATS = [np.nan, np.inf, -np.inf, 0, -0.0, 1e-40, 1e30, -5, 2.5, 0.5]


def graph(rng: random.Random, dtype: str) -> mx.sym.Symbol:
    """A graph of some operators on ``x`` and ``y``."""
    values = [mx.sym.var("x"), mx.sym.var("y")]
    for _ in range(rng.randint(1, 6)):
        kind, value = rng.random(), rng.choice(values)
        if kind < 0.4:
            values.append(getattr(mx.sym, rng.choice(UNARY if dtype == "float32" else INTEGERS))(value))
        elif kind < 0.7:
            values.append(getattr(mx.sym, rng.choice(BINARY))(value, rng.choice(values)))
        elif kind < 0.8:
            values.append(rng.choice(SCALAR)(value, rng.randint(1, 9)))
        elif kind < 0.9:
            values.append(mx.sym.clip(value, a_min=1, a_max=7))
        else:
            reduce: Callable[..., Any] = rng.choice([mx.sym.sum, mx.sym.max, mx.sym.prod])
            values.append(reduce(value, axis=1, keepdims=True))
    return values[-1]


def draws(rng: np.random.Generator, dtype: str) -> list[np.ndarray]:
    """Arrays from ordinary to extreme ones."""
    if dtype == "float32":
        ordinary = [rng.standard_normal((3, 4)) * scale for scale in (1, 1e4)]
        return [array.astype("f") for array in (*ordinary, rng.integers(-4, 5, (3, 4)), rng.choice(FLOATS, (3, 4)))]
    info = np.iinfo(dtype)
    ends = [(0, 9), (max(-9, info.min), 9), (info.min, info.max), (max(-40000, info.min), min(40000, info.max))]
    return [rng.integers(least, most, (3, 4), dtype=dtype) for least, most in ends]


def outcome(compute: Callable[[], np.ndarray]) -> np.ndarray | str:
    try:
        return compute()
    except mx.MXNetError as error:
        return str(error)


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "uint8"])
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int, dtype: str) -> None:
    rng, values = random.Random(f"{seed} {dtype}"), np.random.default_rng(seed)
    symbol = graph(rng, dtype)
    arrays = {name: mx.nd.zeros((3, 4), dtype=dtype) for name in symbol.list_arguments()}
    executor = symbol.bind(mx.cpu(), arrays, grad_req="null")
    form = executor._plan.numpy_form()
    for kind in range(4):
        for array in arrays.values():
            array[:] = mx.nd.array(draws(values, dtype)[kind], dtype=dtype)
        expected = outcome(lambda: form.run({name: array.asnumpy() for name, array in arrays.items()})[0])
        result = outcome(lambda: executor.forward()[0].asnumpy())
        if isinstance(expected, str) or isinstance(result, str):
            assert result == expected
        elif expected.dtype.kind in "iub":
            np.testing.assert_array_equal(result, expected)
        else:
            largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=1))
            np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-6 * largest + 1e-4)
