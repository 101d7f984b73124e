"""Random symbols: ``mx.sym.random.normal(shape=(2, 3))``. Parameters are numbers, or symbols; each run draws anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.operators.random import ATTRIBUTES, INPUTS
from neuron_adapters.mxnet.symbol._compose import create
from neuron_adapters.mxnet.symbol._symbol import Symbol

__all__ = [
    "exponential", "exponential_like", "gamma", "gamma_like", "generalized_negative_binomial",
    "generalized_negative_binomial_like", "multinomial", "negative_binomial", "negative_binomial_like", "normal",
    "normal_like", "poisson", "poisson_like", "randint", "randn", "shuffle", "uniform", "uniform_like",
]  # fmt: skip

Shape = int | Sequence[int]
Parameter = float | Symbol


def uniform(
    low: Parameter = 0, high: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any
) -> Symbol:
    """Draw from the uniform distribution from ``low`` to ``high``."""
    return _drawn("uniform", (low, high), shape, dtype, more)


def normal(
    loc: Parameter = 0, scale: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any
) -> Symbol:
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``."""
    return _drawn("normal", (loc, scale), shape, dtype, more)


def randn(*shape: int, loc: Parameter = 0, scale: Parameter = 1, dtype: Any = None, **more: Any) -> Symbol:
    """Draw from the normal distribution; the shape comes first."""
    return normal(loc, scale, shape or None, dtype, **more)


def poisson(lam: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any) -> Symbol:
    """Draw from Poisson's distribution of mean ``lam``."""
    return _drawn("poisson", (lam,), shape, dtype, more)


def exponential(scale: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any) -> Symbol:
    """Draw from the exponential distribution of mean ``scale``."""
    return _drawn("exponential", (1.0 / scale,), shape, dtype, more)


def gamma(
    alpha: Parameter = 1, beta: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any
) -> Symbol:
    """Draw from the gamma distribution of shape ``alpha`` and scale ``beta``."""
    return _drawn("gamma", (alpha, beta), shape, dtype, more)


def negative_binomial(
    k: Parameter = 1, p: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any
) -> Symbol:
    """Draw how often an experiment succeeds before it has failed ``k`` times; ``p``: that it fails."""
    return _drawn("negative_binomial", (k, p), shape, dtype, more)


def generalized_negative_binomial(
    mu: Parameter = 1, alpha: Parameter = 1, shape: Shape | None = None, dtype: Any = None, **more: Any
) -> Symbol:
    """Draw from the negative binomial distribution of mean ``mu`` and dispersion ``alpha``."""
    return _drawn("generalized_negative_binomial", (mu, alpha), shape, dtype, more)


def randint(low: int, high: int, shape: Shape | None = None, dtype: Any = None, **more: Any) -> Symbol:
    """Draw whole numbers from ``low`` up to, but without, ``high``."""
    return _node("_random_randint", [], {"low": low, "high": high}, shape, dtype, more)


def multinomial(
    data: Symbol, shape: Shape | None = None, get_prob: bool = False, dtype: Any = "int32", **more: Any
) -> Symbol:
    """Draw places of the last axis, as probable as the numbers of ``data`` there. ``get_prob``: the logarithms of their
    probabilities, too."""
    return _node("_sample_multinomial", [data], {"get_prob": get_prob}, shape, dtype, more)


def shuffle(data: Symbol, **more: Any) -> Symbol:
    """Put the rows in random order."""
    return _node("_shuffle", [data], {}, None, None, more)


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple[Symbol, Symbol, Symbol]:
    """Draw ``num_sampled`` classes below ``range_max``, of which small ones are likelier: class i with the probability
    log((i + 2) / (i + 1)) / log(range_max + 1). Shown as ``mx.sym.contrib.rand_zipfian``.

    Returns the classes, and how often each of ``true_classes`` and each of them is expected.
    """
    whole = math.log(range_max + 1)
    numbers = uniform(0, whole, (num_sampled,), "float64")
    sampled = (numbers.exp() - 1.0).astype("int64") % range_max

    def expected(classes: Symbol) -> Symbol:
        wide = classes.astype("float64")
        counts: Symbol = ((wide + 2.0) / (wide + 1.0)).log() / whole * num_sampled
        return counts

    return sampled, expected(true_classes), expected(sampled)


def _drawn(name: str, parameters: Sequence[Any], shape: Shape | None, dtype: Any, more: dict[str, Any]) -> Symbol:
    symbols = [each for each in parameters if isinstance(each, Symbol)]
    if symbols and len(symbols) != len(parameters):
        raise MXNetValueError(f"the parameters of {name} are all symbols or all numbers, got both.")
    if symbols:
        assert len(INPUTS[name]) == len(symbols)
        return _node(f"_sample_{name}", symbols, {}, shape, dtype, more)
    return _node(f"_random_{name}", [], dict(zip(ATTRIBUTES[name], parameters)), shape, dtype, more)


def _node(
    operator: str, inputs: Sequence[Symbol], attrs: dict[str, Any], shape: Shape | None, dtype: Any,
    more: dict[str, Any],
) -> Symbol:  # fmt: skip
    if shape is not None:
        attrs["shape"] = (shape,) if isinstance(shape, int) else tuple(shape)
    if dtype is not None:
        attrs["dtype"] = dtype
    return Symbol(create(operator, inputs, {}, attrs, more.get("name"), more.get("attr")))


def _like(name: str) -> Callable[..., Symbol]:
    def call(data: Symbol, *, name: str | None = None, attr: Any = None, **parameters: float) -> Symbol:
        unknown = set(parameters) - set(ATTRIBUTES[distribution])
        if unknown:
            known = ", ".join(ATTRIBUTES[distribution])
            raise TypeError(f"mx.sym.random.{distribution}_like() takes {known}, got {', '.join(unknown)}")
        return Symbol(create(f"_random_{distribution}_like", [data], {}, dict(parameters), name, attr))

    distribution = name
    call.__name__ = call.__qualname__ = f"{name}_like"
    call.__doc__ = f"Draw as ``{name}`` does, in the shape and dtype of ``data``."
    return call


uniform_like: Callable[..., Symbol] = _like("uniform")
normal_like: Callable[..., Symbol] = _like("normal")
gamma_like: Callable[..., Symbol] = _like("gamma")
exponential_like: Callable[..., Symbol] = _like("exponential")
poisson_like: Callable[..., Symbol] = _like("poisson")
negative_binomial_like: Callable[..., Symbol] = _like("negative_binomial")
generalized_negative_binomial_like: Callable[..., Symbol] = _like("generalized_negative_binomial")
