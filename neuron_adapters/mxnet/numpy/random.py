"""``mx.np.random``, seeded as ``mx.random`` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet._training import Missing, missing_names
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.numpy._array import ndarray

__all__ = [
    "beta", "chisquare", "choice", "exponential", "gamma", "gumbel", "logistic", "lognormal", "multinomial",
    "multivariate_normal", "normal", "pareto", "power", "rand", "randint", "randn", "rayleigh", "seed", "shuffle",
    "uniform", "weibull",
]  # fmt: skip

__getattr__: Missing = missing_names("mx.np.random")

Size = int | Sequence[int] | None


def seed(seed: int) -> None:
    """Restart the generator: the same numbers follow."""
    _random.seed(seed)


def uniform(low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw from the uniform distribution from ``low`` to ``high``."""
    return _drawn("uniform", (low, high), size, dtype or "float32", ctx)


def normal(loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``."""
    return _drawn("normal", (loc, scale), size, dtype or "float32", ctx)


def choice(
    a: Any, size: Size = None, replace: bool = True, p: Any = None, ctx: Any = None, out: ndarray | None = None
) -> ndarray:
    """Draw elements of a vector, or whole numbers below ``a``. ``p``: how probable each is. Raises MXNetValueError for
    what cannot be drawn."""
    raw, shares = _raw(a), _raw(p)
    try:
        drawn = np.asarray(_random.choice(raw, size, replace, shares))
    except ValueError as error:
        raise MXNetValueError(f"mx.np.random.choice(): {error}.") from error
    if out is None:
        return ndarray(drawn, ctx)
    out[...] = ndarray(drawn, ctx)
    return out


def multinomial(n: int, pvals: Any, size: Size = None) -> ndarray:
    """Draw ``n`` times, and count how often each class came; ``pvals``: how probable each is. int64."""
    try:
        return ndarray(_random.multinomial(n, _raw(pvals), size))
    except ValueError as error:
        raise MXNetValueError(f"mx.np.random.multinomial(): {error}.") from error


def _distribution(name: str, shown: str, **parameters: float | None) -> Callable[..., ndarray]:
    """Make the function that draws from a distribution of NumPy's. ``parameters``: their defaults, None for none."""

    def draw(*args: Any, **keywords: Any) -> ndarray:
        values = dict(zip((*parameters, "size", "dtype", "ctx"), args)) | keywords
        if missing := [key for key, default in parameters.items() if default is None and key not in values]:
            raise TypeError(f"mx.np.random.{name}() needs {', '.join(missing)}")
        dtype, ctx = values.pop("dtype", None), values.pop("ctx", None)
        size, out = values.pop("size", None), values.pop("out", None)
        if unknown := sorted(values.keys() - parameters.keys()):
            raise TypeError(f"mx.np.random.{name}() has no parameter {', '.join(unknown)}")
        raw = [_raw(values.get(key, default)) for key, default in parameters.items()]
        try:
            drawn = ndarray(_random.draw_as_numpy(name, raw, size).astype(dtype or "float32"), ctx)
        except ValueError as error:
            raise MXNetValueError(f"mx.np.random.{name}(): {error}.") from error
        if out is None:
            return drawn
        out[...] = drawn
        filled: ndarray = out
        return filled

    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = f"Draw from {shown}."
    return draw


beta = _distribution("beta", "the beta distribution", a=None, b=None)
chisquare = _distribution("chisquare", "the chi-square distribution", df=None)
exponential = _distribution("exponential", "the exponential distribution of mean ``scale``", scale=1.0)
gamma = _distribution("gamma", "the gamma distribution", shape=None, scale=1.0)
gumbel = _distribution("gumbel", "the Gumbel distribution", loc=0.0, scale=1.0)
logistic = _distribution("logistic", "the logistic distribution", loc=0.0, scale=1.0)
lognormal = _distribution("lognormal", "the log-normal distribution", mean=0.0, sigma=1.0)
pareto = _distribution("pareto", "the Pareto II distribution", a=None)
power = _distribution("power", "the power distribution", a=None)
rayleigh = _distribution("rayleigh", "the Rayleigh distribution", scale=1.0)
weibull = _distribution("weibull", "the Weibull distribution", a=None)


def multivariate_normal(
    mean: Any,
    cov: Any,
    size: Size = None,
    check_valid: Any = None,  # noqa: ARG001 - MXNet's
    tol: Any = None,  # noqa: ARG001
) -> ndarray:
    """Draw vectors from the normal distribution of mean ``mean`` and covariance ``cov``."""
    try:
        return ndarray(_random.draw_as_numpy("multivariate_normal", (_raw(mean), _raw(cov)), size).astype("float32"))
    except ValueError as error:
        raise MXNetValueError(f"mx.np.random.multivariate_normal(): {error}.") from error


def shuffle(x: ndarray) -> None:
    """Bring ``x`` into a random order along its first axis."""
    mixed = x.asnumpy()
    _random.shuffle(mixed)
    x[...] = mixed


def rand(*size: int, **options: Any) -> ndarray:
    """Draw from 0 to 1; the shape comes first. ``options``: dtype and ctx."""
    return uniform(size=size, **options)


def randn(*size: int, **options: Any) -> ndarray:
    """Draw from the standard normal distribution; the shape comes first. ``options``: dtype and ctx."""
    return normal(size=size, **options)


def randint(low: int, high: int | None = None, size: Size = None, dtype: Any = None, ctx: Any = None) -> ndarray:
    """Draw whole numbers from ``low`` up to, but without, ``high``; from 0 to ``low`` where that is all."""
    ends = (0, low) if high is None else (low, high)
    return _drawn("randint", ends, size, dtype or "int64", ctx)


def _drawn(distribution: str, parameters: Sequence[Any], size: Size, dtype: Any, ctx: Any) -> ndarray:
    raw = [_raw(each) for each in parameters]
    shape = np.broadcast_shapes(*(np.shape(each) for each in raw)) if size is None else size
    return ndarray(_random.draw(distribution, raw, (shape,) if isinstance(shape, int) else shape, dtype), ctx)


def _raw(value: Any) -> Any:
    return value._array if isinstance(value, ndarray) else value
