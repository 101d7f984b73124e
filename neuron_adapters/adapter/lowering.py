"""Lowering a model to an engine: what its results are compared with, and by how much it must be faster (SPEC K3)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuron_rt import CompileError, Engine, EngineError

#: SPEC K3: a compiled model's results against the original's, in float32 and with a cast flag.
TOLERANCE = {False: {"rtol": 1e-3, "atol": 1e-4}, True: {"rtol": 2e-2, "atol": 2e-2}}

#: The same for types whose numbers lie further apart than that.
COARSE = {"float16": {"rtol": 4e-3, "atol": 1e-3}, "bfloat16": {"rtol": 2e-2, "atol": 2e-2}}

#: Bytes up to which a tensor is copied to a buffer of the request; a larger one is used where it is.
SMALL = 32 << 10

#: Seconds from which on a large model is compared on fewer inputs.
_MOST_SECONDS = 1.0

#: Seconds of a run that need not be measured twice.
_LONG = 0.1

#: What the first trial is.
EXAMPLE = "the example"

#: The engine is taken from this speed on, the framework's graph being 1: around it, holding the framework's threads
#: back decides.
WORTH = 0.9


def tolerance(dtype: str, *, bf16: bool) -> dict[str, float]:
    """How far results of ``dtype`` may differ: ``rtol`` and ``atol`` of ``allclose``. ``bf16``: with a cast flag."""
    return TOLERANCE[True] if bf16 else COARSE.get(dtype, TOLERANCE[False])


class Trial(NamedTuple):
    """Inputs on which the engine is compared with the framework. ``what`` they are. ``coarse``: they are large, so that
    rounding errors are, too."""

    what: str
    inputs: list[Any]
    coarse: bool = False

    def close(self, dtype: str, largest: float, *, bf16: bool) -> dict[str, float]:
        """``rtol`` and ``atol`` of ``allclose`` for results of ``dtype`` of a magnitude up to ``largest``."""
        close = tolerance(dtype, bf16=bf16)
        scale = max(1.0, largest) if self.coarse and np.isfinite(largest) else 1.0
        return {"rtol": close["rtol"], "atol": close["atol"] * scale * (100 if self.coarse else 1)}


def trials(example: Sequence[np.ndarray[Any, Any]]) -> Iterator[Trial]:
    """The inputs to compare on: the example, and values of its kind that differ from it in every element; the rest only
    while all take no longer than _MOST_SECONDS."""
    rng = np.random.default_rng(20240607)
    end = time.monotonic() + _MOST_SECONDS
    yield Trial(EXAMPLE, list(example))
    yield Trial("other values", [_other(array, rng, 1) for array in example])
    if time.monotonic() < end and any(array.dtype.kind == "f" for array in example):
        yield Trial("large values", [_other(array, rng, 300) for array in example], coarse=True)
    if time.monotonic() < end:
        yield Trial("zeros", [np.zeros_like(array) for array in example])
    if time.monotonic() < end:
        yield Trial("the example in another order", [np.array(np.flip(array)) for array in example])


def _other(array: np.ndarray[Any, Any], rng: np.random.Generator, factor: float) -> np.ndarray[Any, Any]:
    """Values of the kind of ``array``. Floats: normal ones of ``factor`` times its magnitude. Integers and booleans:
    others between its smallest and its largest."""
    if array.dtype.kind == "b":
        return np.asarray(~array)
    if array.dtype.kind == "f":
        largest = min(float(np.abs(array).max(initial=0)), 1e3)
        return np.asarray(rng.standard_normal(array.shape) * factor * (largest or 1) / 2).astype(array.dtype)
    least, most = (int(array.min()), int(array.max())) if array.size else (0, 0)
    span = most - least + 1
    if span == 1:
        return np.asarray(array + np.ones_like(array))
    wide = np.int64 if span < 1 << 62 else object
    steps = rng.integers(1, min(span, 1 << 62), array.shape)
    return np.asarray(least + (array.astype(wide) - least + steps) % span).astype(array.dtype)


@contextlib.contextmanager
def converting(engine: Engine) -> Iterator[None]:
    """Around a conversion for ``engine``: whatever it raises becomes a CompileError."""
    try:
        yield
    except CompileError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(f"{engine.name} cannot convert it: {reason[-1][:200]}") from error


@contextlib.contextmanager
def trying(engine: Engine) -> Iterator[None]:
    """Around a trial run of a converted model: an engine that cannot run it raises a CompileError."""
    try:
        yield
    except CompileError:
        raise
    except (EngineError, ValueError) as error:
        raise CompileError(f"{engine.name} cannot run it: {error}") from error


def race(engine: Engine, rival: str, seconds: float, run: Callable[[], object], tried: float = 0.0) -> str:
    """How much faster the engine is than ``rival``, which takes ``seconds`` a call, in words. ``tried``: the seconds of
    an earlier run, which is enough where it was long. Raises CompileError where the engine is not faster."""
    ratio = seconds / (tried if tried > _LONG else seconds_of(run))
    if ratio < WORTH:
        raise CompileError(f"{engine.name} took {1 / ratio:.2f} times as long as {rival} when it was compiled")
    return f"{ratio:.2f} times as fast as {rival} when it was compiled"


def seconds_of(run: Callable[[], object], most: float = 0.25) -> float:
    """The quickest of some calls of ``run``, which has run before: as many as ``most`` seconds allow, at least one."""
    best, end = float("inf"), time.perf_counter() + most
    for _ in range(200):
        began = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - began)
        if now + best > end:
            break
    return best
