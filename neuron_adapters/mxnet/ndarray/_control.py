"""Control flow on arrays: Python's own, with MXNet's rules for states and stacked outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._nested import as_list, flatten
from neuron_adapters.mxnet.base import MXNetValueError
from neuron_adapters.mxnet.ndarray._array import NDArray

__all__ = ["cond", "foreach", "while_loop"]


def foreach(body: Callable[..., Any], data: Any, init_states: Any) -> tuple[Any, Any]:
    """Call ``body(data[i], states)`` for each row; return its outputs, stacked, and the last states."""
    arrays, _build = flatten(data, NDArray, "foreach: data")
    flatten(init_states, NDArray, "foreach: init_states")
    if not arrays or len({len(array) for array in arrays}) > 1:
        raise MXNetValueError(f"foreach: all data has one length, got {[array.shape for array in arrays]}.")
    states, build = init_states, None
    steps: list[list[NDArray]] = []
    for step in range(len(arrays[0])):
        row = data[step] if isinstance(data, NDArray) else [array[step] for array in arrays]
        outputs, states = body(row, states)
        leaves, build = flatten(outputs, NDArray, "foreach: outputs")
        steps.append(leaves)
    return (build(iter(_stacked(steps, len(steps)))) if build is not None else []), states


def while_loop(
    cond: Callable[..., Any], func: Callable[..., Any], loop_vars: Any, max_iterations: int | None = None
) -> tuple[Any, Any]:
    """Call ``func(*loop_vars)`` while ``cond(*loop_vars)``; return its outputs, stacked, and the last variables.

    The outputs have ``max_iterations`` rows, of which those that were not computed are zeros.
    """
    if max_iterations is None:
        raise MXNetValueError("while_loop: max_iterations should be specified.")
    variables, build = as_list(loop_vars), None
    steps: list[list[NDArray]] = []
    if not variables:
        raise MXNetValueError("while_loop: loop_vars should contain at least one element.")
    while len(steps) < int(max_iterations) and _holds(cond(*variables), "cond"):
        outputs, after = func(*variables)
        after = as_list(after)
        if len(after) != len(variables):
            raise MXNetValueError(f"while_loop: func() returns {len(variables)} loop_vars, got {len(after)}.")
        leaves, build = flatten([] if outputs is None else outputs, NDArray, "while_loop: outputs")
        if steps and len(leaves) != len(steps[0]):
            raise MXNetValueError("while_loop: each step gives as many outputs.")
        steps.append(leaves)
        variables = after
    stacked = build(iter(_stacked(steps, int(max_iterations)))) if build is not None else []
    return stacked, variables[0] if isinstance(loop_vars, NDArray) else variables


def cond(pred: Any, then_func: Callable[[], Any], else_func: Callable[[], Any]) -> Any:
    """Call ``then_func()`` where ``pred`` is not zero, else ``else_func()``."""
    return then_func() if _holds(pred, "pred") else else_func()


def _stacked(steps: Sequence[Sequence[NDArray]], length: int) -> list[NDArray]:
    """Stack what the steps gave, with zeros up to ``length``."""
    stacked = []
    for arrays in zip(*steps):
        if len({array.shape for array in arrays}) > 1:
            raise MXNetValueError(f"outputs of all steps have one shape, got {[array.shape for array in arrays]}.")
        result = np.zeros((length, *arrays[0].shape), arrays[0].dtype)
        for row, array in zip(result, arrays):
            row[...] = array._array
        stacked.append(NDArray(result, arrays[0].context))
    return stacked


def _holds(value: Any, what: str) -> bool:
    try:
        return bool(value.asscalar() if isinstance(value, NDArray) else value)
    except (TypeError, ValueError) as error:
        raise MXNetValueError(f"Cannot convert {what} to python bool: {error}") from error
