"""A function of TensorFlow, compiled and as it is, on the same values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from neuron_adapters.adapter.placed import model_of
from neuron_adapters.tf import trace
from neuron_rt import CompileError

from .outcome import Outcome
from .values import Arg, calls

RTOL, ATOL, ROUNDING = 1e-3, 1e-4, 1e-5
Answer = list[np.ndarray[Any, Any]] | Exception


@dataclass(frozen=True)
class Case:
    """An operator: a function of tensors of ``arguments``."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Arg, ...]


def answer(function: Callable[..., Any], inputs: Sequence[tf.Tensor]) -> Answer:
    """The arrays that ``function`` returns, or what it raises."""
    try:
        return [np.asarray(tensor) for tensor in tf.nest.flatten(function(*inputs))]
    except Exception as error:  # whatever it is, it is the reference
        return error


def difference(expected: Answer, actual: Answer, size: float) -> str:
    """How two answers differ, "" where they are the same (SPEC K3). ``size``: the largest magnitude of the inputs."""
    if isinstance(expected, Exception) or isinstance(actual, Exception):
        same = type(expected) is type(actual)
        return "" if same else f"expected {_brief(expected)}, got {_brief(actual)}"
    for index, (wanted, got) in enumerate(zip(expected, actual)):
        if wanted.dtype != got.dtype or wanted.shape != got.shape:
            return f"expected {wanted.dtype}{wanted.shape}, got {got.dtype}{got.shape}"
        if wanted.dtype.kind == "f":
            atol = max(ATOL, ROUNDING * size)
            same = bool(np.allclose(got.astype("f8"), wanted.astype("f8"), rtol=RTOL, atol=atol, equal_nan=True))
        else:
            same = bool(np.array_equal(wanted, got))
        if not same:
            return f"output {index}: expected {wanted.ravel()[:6]}, got {got.ravel()[:6]}"
    return "" if len(expected) == len(actual) else f"expected {len(expected)} tensors, got {len(actual)}"


def _brief(result: Answer) -> str:
    return type(result).__name__ if isinstance(result, Exception) else str([array.ravel()[:4] for array in result])


def examine(case: Case, most: int | None = None) -> Outcome:
    """Compile ``case``, and compare its answers with TensorFlow's on up to ``most`` inputs, all of them if None."""
    outcome = Outcome(case.name)
    function = tf.function(case.function)
    every = list(calls(case.arguments))
    example = [tf.constant(array) for array in every[0][1]]
    expected = answer(function, example)
    if isinstance(expected, Exception):
        outcome.missing = type(expected).__name__
        return outcome
    try:
        compiled = trace(function, *example)
    except CompileError as error:
        outcome.why = str(error).partition(" (NEURON_ADAPTERS_ENGINE")[0]
        return outcome
    step = 1 if most is None else max(1, len(every) // most)
    for kind, arrays in every[::step]:
        inputs = [tf.constant(array) for array in arrays]
        before = _guarded(compiled)
        actual = answer(compiled, inputs)
        (outcome.guarded if _guarded(compiled) > before else outcome.engine)[kind] += 1
        size = max(_size(array) for array in arrays)
        if text := difference(answer(function, inputs), actual, size):
            outcome.wrong.append(f"{case.name} on {kind} {[array.ravel()[:6].tolist() for array in arrays]}: {text}")
    return outcome


def _guarded(compiled: Any) -> int:
    model = model_of(compiled)
    return 0 if model is None else sum(slot.pool.guarded for slot in model.slots if slot.pool)


def _size(array: np.ndarray[Any, Any]) -> float:
    finite = np.abs(array[np.isfinite(array)].astype("f8")) if array.dtype.kind == "f" else np.zeros(0)
    return min(float(finite.max(initial=0)), 1e6)
