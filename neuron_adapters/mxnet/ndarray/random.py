"""Random arrays. The numbers are NumPy's, not those that MXNet draws for the same seed.

A parameter may be an array: then ``shape`` numbers are drawn for each of its elements, and the result has the shape of
the parameters followed by ``shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray, dtype_of

__all__ = [
    "exponential", "exponential_like", "gamma", "gamma_like", "generalized_negative_binomial",
    "generalized_negative_binomial_like", "multinomial", "negative_binomial", "negative_binomial_like", "normal",
    "normal_like", "poisson", "poisson_like", "randint", "randn", "seed", "shuffle", "uniform", "uniform_like",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Shape = int | Sequence[int] | None
Parameter = float | NDArray


def seed(seed_state: int, ctx: Context | str = "all") -> None:  # noqa: ARG001 - there is one generator for all
    """Restart the generator of arrays and graphs: the same numbers follow. Raises ValueError for what is not a whole
    number."""
    _random.seed(seed_state)


def _draw(kind: str, parameters: Sequence[Parameter], shape: Shape, dtype: Any, ctx: Any, out: Any) -> NDArray:
    """Draw from the distribution ``kind``. Raises MXNetValueError where parameters are not possible, TypeError where
    some are arrays and some are numbers."""
    arrays = [value for value in parameters if isinstance(value, NDArray)]
    if arrays and len(arrays) < len(parameters):
        raise TypeError(f"mx.nd.random.{kind}() takes numbers, or an array for each parameter")
    if not arrays:
        return _drawn(kind, _own(kind, parameters), _sizes(shape, (1,)) if out is None else out.shape, dtype, ctx, out)
    for array in arrays[1:]:
        if array.shape != arrays[0].shape:
            raise MXNetValueError(f"mx.nd.random.{kind}(): the parameters have the shapes {arrays[0].shape} and "
                                  f"{array.shape}, which must be the same.")  # fmt: skip
    each = _sizes(shape, ())
    spread = [array._array.astype("f8").reshape(array.shape + (1,) * len(each)) for array in arrays]
    own = arrays[0].dtype if arrays[0]._array.dtype.kind == "f" else None
    return _drawn(
        kind, _own(kind, spread), arrays[0].shape + each, own if dtype is None else dtype, arrays[0].context, out
    )


def _own(kind: str, parameters: Sequence[Any]) -> list[Any]:
    """Return the parameters as operators take them: the rate of the exponential distribution, for the scale."""
    if kind != "exponential":
        return list(parameters)
    with np.errstate(divide="ignore"):
        return [1 / np.asarray(parameters[0], "f8")]


def _drawn(kind: str, parameters: Sequence[Any], size: tuple[int, ...], dtype: Any, ctx: Any, out: Any) -> NDArray:
    try:
        numbers = _random.draw(kind, parameters, size, dtype_of(dtype if out is None else out.dtype))
    except ValueError as error:
        raise MXNetValueError(f"mx.nd.random.{kind}() cannot draw with these parameters: {error}.") from None
    return _stored(numbers, ctx, out)


def _stored(numbers: Array, ctx: Any, out: NDArray | None) -> NDArray:
    if out is None:
        return NDArray(numbers, ctx)
    out[:] = numbers
    return out


def _sizes(shape: Shape, default: tuple[int, ...]) -> tuple[int, ...]:
    if shape is None:
        return default
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(size) for size in shape)


def uniform(
    low: Parameter = 0, high: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw evenly from ``low`` up to ``high``; ``out`` takes the numbers, in its shape."""
    return _draw("uniform", (low, high), shape, dtype, ctx, out)


def normal(
    loc: Parameter = 0, scale: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``."""
    return _draw("normal", (loc, scale), shape, dtype, ctx, out)


def randn(
    *shape: int, loc: Parameter = 0, scale: Parameter = 1, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the normal distribution; the shape comes first."""
    return normal(loc, scale, shape or None, dtype, ctx, out)


def exponential(
    scale: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the exponential distribution of mean ``scale``."""
    return _draw("exponential", (scale,), shape, dtype, ctx, out)


def gamma(
    alpha: Parameter = 1, beta: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the gamma distribution of shape ``alpha`` and scale ``beta``."""
    return _draw("gamma", (alpha, beta), shape, dtype, ctx, out)


def poisson(
    lam: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None, out: NDArray | None = None
) -> NDArray:
    """Draw from the Poisson distribution of mean ``lam``."""
    return _draw("poisson", (lam,), shape, dtype, ctx, out)


def negative_binomial(
    k: Parameter = 1, p: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw how many trials fail before ``k`` succeed, each with the probability ``p``."""
    return _draw("negative_binomial", (k, p), shape, dtype, ctx, out)


def generalized_negative_binomial(
    mu: Parameter = 1, alpha: Parameter = 1, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the negative binomial distribution of mean ``mu`` and dispersion ``alpha``."""
    return _draw("generalized_negative_binomial", (mu, alpha), shape, dtype, ctx, out)


def randint(
    low: int, high: int, shape: Shape = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw whole numbers from ``low`` up to, but without, ``high``; int32 unless ``dtype`` says otherwise."""
    size = _sizes(shape, (1,)) if out is None else out.shape
    return _drawn("randint", [low, high], size, "int32" if dtype is None else dtype, ctx, out)


def multinomial(
    data: NDArray, shape: Shape = None, get_prob: bool = False, out: NDArray | None = None, dtype: Any = "int32"
) -> Any:
    """Draw classes; the last axis of ``data`` has their probabilities. ``get_prob``: a list of the classes and of the
    logarithms of their probabilities. What is left to a sum of 1 goes to the last class.

    Raises MXNetValueError for a dtype that cannot count the classes.
    """
    classes, kind = data.shape[-1], np.dtype(dtype)
    try:
        _random.require_countable(classes, kind.name)
    except ValueError as error:
        raise MXNetValueError(f"mx.nd.random.multinomial(): {error}") from None
    each = _sizes(shape, (1,) if data.ndim == 1 else ())
    rows = data._array.reshape(-1, classes)
    ends = np.cumsum(rows.astype("f8"), axis=1)
    places = _random.draw("uniform", (0, 1), (len(rows), int(np.prod(each, dtype=np.int64))), "f8")
    chosen = np.stack([np.searchsorted(end, place, side="right") for end, place in zip(ends, places)])
    chosen = np.minimum(chosen, classes - 1)
    result = _stored(chosen.reshape(data.shape[:-1] + each).astype(kind), data.context, out)
    if not get_prob:
        return result
    with np.errstate(divide="ignore"):
        likely = np.log(np.take_along_axis(rows, chosen, axis=1))
    return [result, NDArray(np.ascontiguousarray(likely.reshape(result.shape)), data.context)]


def shuffle(data: NDArray, out: NDArray | None = None) -> NDArray:
    """Copy with the rows in random order."""
    return _stored(data._array[_random.order(len(data))], data.context, out)


def _like(kind: str, **defaults: float) -> Callable[..., NDArray]:
    def call(data: NDArray, out: NDArray | None = None, **parameters: float) -> NDArray:
        unknown = set(parameters) - set(defaults)
        if unknown:
            raise TypeError(f"mx.nd.random.{kind}_like() takes {', '.join(defaults)}, got {', '.join(unknown)}")
        values = [parameters.get(name, value) for name, value in defaults.items()]
        return _drawn(kind, values, data.shape if out is None else out.shape, data.dtype, data.context, out)

    call.__name__ = call.__qualname__ = f"{kind}_like"
    call.__doc__ = f"Draw as ``{kind}`` does, an array of the shape, dtype and context of ``data``."
    return call


uniform_like: Callable[..., NDArray] = _like("uniform", low=0, high=1)
normal_like: Callable[..., NDArray] = _like("normal", loc=0, scale=1)
gamma_like: Callable[..., NDArray] = _like("gamma", alpha=1, beta=1)
exponential_like: Callable[..., NDArray] = _like("exponential", lam=1)
poisson_like: Callable[..., NDArray] = _like("poisson", lam=1)
negative_binomial_like: Callable[..., NDArray] = _like("negative_binomial", k=1, p=1)
generalized_negative_binomial_like: Callable[..., NDArray] = _like("generalized_negative_binomial", mu=1, alpha=1)
