"""Random arrays. The numbers are NumPy's, not those that MXNet draws for the same seed.

Parameters are numbers, or arrays: then each of their elements gets numbers of its own, of the shape ``shape``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet import _random
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.context import Context
from neuron_adapters.mxnet.ndarray._array import NDArray, dtype_of

__all__ = [
    "exponential", "gamma", "generalized_negative_binomial", "multinomial", "negative_binomial", "normal", "poisson",
    "randint", "randn", "seed", "shuffle", "uniform",
]  # fmt: skip

Shape = int | Sequence[int]
Parameter = float | NDArray


def seed(seed_state: int, ctx: Context | str = "all") -> None:  # noqa: ARG001 - there is one generator for all
    """Restart the generator: the same numbers follow."""
    _random.seed(seed_state)


def uniform(
    low: Parameter = 0, high: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the uniform distribution from ``low`` to ``high``; ``out`` takes the numbers, in its shape."""
    return _drawn("uniform", (low, high), shape, dtype, ctx, out)


def normal(
    loc: Parameter = 0, scale: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the normal distribution of mean ``loc`` and standard deviation ``scale``; ``out`` takes the numbers."""
    return _drawn("normal", (loc, scale), shape, dtype, ctx, out)


def randn(*shape: int, loc: float = 0, scale: float = 1, dtype: Any = None, ctx: Context | None = None) -> NDArray:
    """Draw from the normal distribution; the shape comes first."""
    return normal(loc, scale, shape or (1,), dtype, ctx)


def poisson(
    lam: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from Poisson's distribution of mean ``lam``."""
    return _drawn("poisson", (lam,), shape, dtype, ctx, out)


def exponential(
    scale: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the exponential distribution of mean ``scale``."""
    return _drawn("exponential", (1.0 / scale,), shape, dtype, ctx, out)


def gamma(
    alpha: Parameter = 1, beta: Parameter = 1, shape: Shape | None = None, dtype: Any = None,
    ctx: Context | None = None, out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the gamma distribution of shape ``alpha`` and scale ``beta``."""
    return _drawn("gamma", (alpha, beta), shape, dtype, ctx, out)


def negative_binomial(
    k: Parameter = 1, p: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw how often an experiment succeeds before it has failed ``k`` times; ``p``: that it fails."""
    return _drawn("negative_binomial", (k, p), shape, dtype, ctx, out)


def generalized_negative_binomial(
    mu: Parameter = 1, alpha: Parameter = 1, shape: Shape | None = None, dtype: Any = None, ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw from the negative binomial distribution of mean ``mu`` and dispersion ``alpha``."""
    return _drawn("generalized_negative_binomial", (mu, alpha), shape, dtype, ctx, out)


def randint(
    low: int, high: int, shape: Shape = (1,), dtype: Any = "int32", ctx: Context | None = None,
    out: NDArray | None = None,
) -> NDArray:  # fmt: skip
    """Draw whole numbers from ``low`` up to, but without, ``high``; ``out`` takes them."""
    return _drawn("randint", (low, high), shape, dtype or "int32", ctx, out)


def multinomial(
    data: NDArray, shape: Shape | None = None, get_prob: bool = False, out: Any = None, dtype: Any = "int32"
) -> Any:
    """Draw places of the last axis, as probable as the numbers of ``data`` there. ``get_prob``: the logarithms of their
    probabilities, too."""
    from neuron_adapters.mxnet.ndarray._invoke import invoke

    asked = {} if shape is None else {"shape": (shape,) if isinstance(shape, int) else tuple(shape)}
    return invoke("_sample_multinomial", [data], {}, {**asked, "get_prob": get_prob, "dtype": dtype}, out=out)


def shuffle(data: NDArray) -> NDArray:
    """Copy with the rows in random order."""
    return NDArray(data._array[_random.order(len(data))], data.context)


def _drawn(
    distribution: str, parameters: Sequence[Any], shape: Shape | None, dtype: Any, ctx: Context | None,
    out: NDArray | None,
) -> NDArray:  # fmt: skip
    arrays = [each for each in parameters if isinstance(each, NDArray)]
    if arrays and len(arrays) != len(parameters):
        raise MXNetValueError(f"the parameters of {distribution} are all arrays or all numbers, got both.")
    if any(each.shape != arrays[0].shape for each in arrays):
        raise MXNetValueError(
            f"the parameters of {distribution} have one shape, got {[each.shape for each in arrays]}."
        )
    sizes = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    if out is not None:
        full = out.shape
    else:
        full = (*arrays[0].shape, *sizes) if arrays else sizes if shape is not None else (1,)
    wide = [
        each._array.reshape(*each.shape, *[1] * (len(full) - each.ndim)) if isinstance(each, NDArray) else each
        for each in parameters
    ]
    given = dtype if dtype is not None else arrays[0].dtype if arrays else None
    wanted = dtype_of(given if out is None else out.dtype)
    try:
        shown = [np.broadcast_to(each, full) if arrays else each for each in wide]
        numbers = _random.draw(distribution, shown, full, wanted)
    except ValueError as error:
        raise MXNetValueError(f"there is no such distribution: {error}.") from None
    if out is None:
        return NDArray(numbers, arrays[0].context if arrays and ctx is None else ctx)
    out[:] = numbers
    return out
