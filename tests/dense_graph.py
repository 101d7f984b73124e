"""A small graph, its arrays, and what it computes."""

from __future__ import annotations

import numpy as np

from neuron_adapters import mx


def dense(name: str = "fc") -> mx.sym.Symbol:
    return mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name=name)


def arrays(batch: int = 2) -> dict[str, mx.nd.NDArray]:
    rng = np.random.default_rng(0)
    shapes = {"data": (batch, 4), "fc_weight": (3, 4), "fc_bias": (3,)}
    return {name: mx.nd.array(rng.random(shape)) for name, shape in shapes.items()}


def expected(args: dict[str, mx.nd.NDArray]) -> np.ndarray:
    values = {name: array.asnumpy() for name, array in args.items()}
    return values["data"] @ values["fc_weight"].T + values["fc_bias"]


def same(output: mx.nd.NDArray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(output.asnumpy(), wanted, rtol=1e-5, atol=1e-6)
