"""Histograms, whole arrays compared, and densities, on NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet.numpy_form._mxnet import _gammaln, operator
from neuron_adapters.mxnet.numpy_form._onnx import Array
from neuron_adapters.mxnet.operators._attributes import Attributes
from neuron_adapters.mxnet.operators._builder import Tensor

_log_gamma = np.vectorize(_gammaln, otypes=["f8"])


@operator("_histogram")
def _histogram(at: Attributes, outs: list[Tensor], data: Array, bins: Array | None = None) -> Sequence[Array]:
    """Count what lies between two bounds each; the last bound belongs to the last bin."""
    flat, count = data.reshape(-1), outs[0].shape[0]
    if bins is not None:
        numbers = flat[(flat >= bins[0]) & (flat <= bins[-1])]
        places = np.minimum(_first_beyond(numbers, bins) - 1, count - 1)
        return [np.bincount(places[places >= 0], minlength=count), bins]
    low, high = at.numbers("range", ())
    if low == high:
        low, high = low - 0.5, high + 0.5
    steps = np.arange(count + 1)
    bounds = ((high * steps + (count - steps) * low) / count).astype(data.dtype)
    wide = flat.astype("f8")
    inside = (wide >= low) & (wide <= high)
    numbers, wide = flat[inside], wide[inside]
    places = np.minimum(((wide - low) * count / (high - low)).astype(np.int64), count - 1)
    places -= numbers < bounds[places]
    places += (numbers >= bounds[places + 1]) & (places != count - 1)
    return [np.bincount(places[places >= 0], minlength=count), bounds]


def _first_beyond(numbers: Array, bins: Array) -> Array:
    """Return the first bound, in order, that is larger than each number."""
    if (bins[:-1] <= bins[1:]).all():
        return np.searchsorted(bins, numbers, side="right")
    larger = ~(numbers[:, None] >= bins[None])
    return np.where(larger.any(1), larger.argmax(1), len(bins))


@operator("_contrib_allclose")
def _all_close(at: Attributes, _outs: list[Tensor], first: Array, second: Array) -> Sequence[Array]:
    relative, absolute = np.float32(at.number("rtol", 1e-5)), np.float32(at.number("atol", 1e-8))
    undefined = (first != first) | (second != second)  # noqa: PLR0124 - NaN
    both = (first != first) == (second != second)  # noqa: PLR0124
    distance = np.where(first > second, first - second, second - first)
    limit = (relative * np.abs(second)).astype(np.float16 if second.dtype == np.float16 else np.float64)
    limit = (limit + absolute).astype(limit.dtype)
    near = (first == second) | (distance <= limit)
    return [np.where(undefined, both & at.flag("equal_nan", default=True), near).all()]


# -- densities ------------------------------------------------------------------------------------------------------


def _negative_binomial(x: Array, limit: Array, share: Array) -> Array:
    """``share``: the probability of a failure, of which there are ``limit``."""
    chosen = _log_gamma(x + limit) - _log_gamma(x + 1) - _log_gamma(limit)
    return chosen + _wide(limit) * np.log(_wide(share)) + _wide(x) * np.log(_wide(1 - share))


def _by_mean(x: Array, mu: Array, alpha: Array) -> Array:
    return _negative_binomial(x, (1 / _wide(alpha)).astype(x.dtype), (1 / (_wide(mu * alpha) + 1)).astype(x.dtype))


def _dirichlet(x: Array, alpha: Array) -> Array:
    total = _log_gamma(alpha.sum(-1)) - _log_gamma(alpha).sum(-1)
    return ((alpha - 1) * np.log(x)).sum(-1) + total


def _wide(x: Array) -> Array:
    return x.astype("f8")


def _exponent(x: Array, mu: Array, sigma: Array) -> Array:
    return x.dtype.type(-0.5) * (x - mu) * (x - mu) / (sigma * sigma)


_ROOT = math.sqrt(2 * math.pi)
#: The logarithm of each density, of a sample and its parameters. What MXNet rounds to their dtype is so here.
_LOGARITHMS: dict[str, Callable[..., Any]] = {
    "exponential": lambda x, lam: np.log(lam) - lam * x,
    "gamma": lambda x, alpha, beta: alpha * np.log(beta) + (alpha - 1) * np.log(x) - beta * x - _log_gamma(alpha),
    "generalized_negative_binomial": _by_mean,
    "negative_binomial": _negative_binomial,
    "normal": lambda x, mu, sigma: _exponent(x, mu, sigma) - np.log(_ROOT * sigma),
    "poisson": lambda x, lam: x * np.log(lam) - _log_gamma(x + 1) - lam,
    "uniform": lambda x, low, high: np.broadcast_to(-np.log(high - low), x.shape),
    "dirichlet": _dirichlet,
}
#: Densities that are not the power of their logarithm.
_DENSITIES: dict[str, Callable[..., Any]] = {
    "exponential": lambda x, lam: lam * np.exp(-lam * x),
    "normal": lambda x, mu, sigma: np.exp(_exponent(x, mu, sigma)) / (x.dtype.type(_ROOT) * sigma),
    "uniform": lambda x, low, high: np.broadcast_to(1 / (high - low), x.shape),
}
for _name in _LOGARITHMS:

    @operator(f"_random_pdf_{_name}")
    def _density(
        at: Attributes, _outs: list[Tensor], sample: Array, *parameters: Array, name: str = _name
    ) -> Sequence[Array]:
        wide = []
        for each in parameters:
            lead, last = (each.shape[:-1], each.shape[-1:]) if name == "dirichlet" else (each.shape, ())
            wide.append(each.reshape(*lead, *[1] * (sample.ndim - each.ndim), *last))
        if at.flag("is_log", default=False):
            return [_LOGARITHMS[name](sample, *wide)]
        own = _DENSITIES.get(name)
        return [np.exp(_LOGARITHMS[name](sample, *wide)) if own is None else own(sample, *wide)]
