"""Finds out whether a model takes other batches than that of its examples, as the compiler for the hardware did.

The model is traced twice, for the examples and with dimension 0 open. The second graph is taken if it is the first one,
node by node, or answers as the model does for the examples' batch and for others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from neuron_adapters.adapter.lowering import Trial, trials
from neuron_adapters.tf._graphs import CannotSeparate, called_nodes, effect_of
from neuron_adapters.tf._inference import Inference
from neuron_adapters.tf._weights import Weights
from neuron_rt import CompileError

Array = np.ndarray[Any, Any]


@dataclass
class Traced:
    """A traced model."""

    function: Any
    """A ConcreteFunction of flat tensors."""
    signature: Any
    """The structure of its arguments, with a TensorSpec for each tensor."""
    examples: list[Array]
    varies: bool = False
    """Whether dimension 0 of all inputs and outputs may vary, together."""
    rows_apart: bool = False
    """Whether each row of the outputs depends on that row of the inputs only."""
    fixed: Any = None
    """``function`` for the examples' shapes only, which engines convert more easily; None where it is the same."""


def trace(func: Any, function_of: Callable[[Any], Any], examples: Any, *, asked: bool) -> Traced:
    """Trace ``func``. ``function_of``: makes a ConcreteFunction of it for a structure of TensorSpecs. ``asked``:
    dimension 0 shall vary. Raises CompileError where it is asked for and an input has no dimension 0."""
    leaves = tf.nest.flatten(examples)
    arrays = [leaf._numpy() for leaf in leaves]
    rows = {leaf.shape[0] if leaf.shape.rank else 0 for leaf in leaves}
    if asked:
        if not all(leaf.shape.rank for leaf in leaves):
            raise CompileError("--dynamic-batch-size needs every input to have the batch as dimension 0.")
        signature = _specs(examples, None)
        function = function_of(signature)
        return Traced(function, signature, arrays, varies=True, rows_apart=_rows_apart(function, arrays))
    signature = tf.nest.map_structure(spec, examples)
    fixed = Traced(function_of(signature), signature, arrays)
    if len(rows) != 1 or 0 in rows or effect_of(fixed.function.graph.as_graph_def()):
        return fixed
    if _loops(fixed.function) and not _is_kerass_own(func):
        return fixed
    if any(not output.shape.rank or output.shape[0] not in (None, *rows) for output in fixed.function.outputs):
        return fixed
    try:
        opened = _opened(func, function_of, examples, fixed)
    except Exception:  # noqa: BLE001 - whatever a model raises that takes one batch only
        return fixed
    return opened or fixed


def spec(leaf: Any) -> tf.TensorSpec:
    """The shape and dtype of a tensor."""
    return tf.TensorSpec(leaf.shape, leaf.dtype)


def _specs(examples: Any, rows: int | None) -> Any:
    """The shapes and dtypes of the examples with ``rows`` as dimension 0."""
    return tf.nest.map_structure(lambda leaf: tf.TensorSpec([rows, *leaf.shape[1:]], leaf.dtype), examples)


def _opened(func: Any, function_of: Callable[[Any], Any], examples: Any, fixed: Traced) -> Traced | None:
    """The same model with dimension 0 open; None where it is not the same."""
    signature = _specs(examples, None)
    function = function_of(signature)
    tf.nest.assert_same_structure(function.structured_outputs, fixed.function.structured_outputs)
    for output, wanted in zip(function.outputs, fixed.function.outputs):
        if output.shape.as_list() != [None, *wanted.shape.as_list()[1:]]:
            return None
    alike = _nodes(function) == _nodes(fixed.function)
    if not alike and not _agree(function, fixed.function, fixed.examples):
        return None
    for size in _other_batches(func, len(fixed.examples[0]), alike=alike):
        other = function_of(_specs(examples, size))
        resized = [array[np.arange(size) % len(array)] for array in fixed.examples]
        if _nodes(function) != _nodes(other) and not _agree(function, other, resized):
            return None
    apart = _rows_apart(function, fixed.examples)
    return Traced(function, signature, fixed.examples, True, apart, None if alike else fixed.function)  # noqa: FBT003


def _other_batches(func: Any, batch: int, *, alike: bool) -> list[int]:
    """Other batches for which to look at a model. Python code may ask for the size of the batch, and 1 is what it asks
    for most; Keras' own layers ask only whether it is known."""
    if _is_kerass_own(func):
        return [] if alike else [batch + 1]
    return sorted({1, batch + 1} - {batch})


def _is_kerass_own(func: Any) -> bool:
    """Whether a model is made of Keras' own layers only."""
    classes = {type(layer) for layer in getattr(func, "_flatten_layers", list)()}
    return bool(classes) and all(
        layer.__module__.partition(".")[0] in ("keras", "tf_keras") and layer.__name__ != "Lambda" for layer in classes
    )


def _loops(function: Any) -> bool:
    """Whether a graph may loop for ever, with other values than the user's."""
    return any("While" in node.op for node in called_nodes(function.graph.as_graph_def()))


def _nodes(function: Any) -> tuple[Any, ...]:
    """A graph but for the shapes of its inputs, and what it reads."""
    definition = function.graph.as_graph_def()
    for node in definition.node:
        if node.op == "Placeholder":
            node.attr.pop("shape", None)
    reads = [(id(value), placeholder.name) for value, placeholder in function.graph.captures]
    outputs = [output.name for output in function.outputs]
    return definition.SerializeToString(deterministic=True), reads, outputs


def _agree(function: Any, other: Any, examples: Sequence[Array]) -> bool:
    """Whether two functions answer alike, for the examples and, without loops, for other values."""
    answer, answer_other = _runner(function), _runner(other)
    return all(
        _close(trial, answer(*trial.inputs), answer_other(*trial.inputs))
        for trial in itertools.islice(trials(examples), 1 if _loops(function) else 2)
    )


def _rows_apart(function: Any, examples: Sequence[Array]) -> bool:
    """Whether a function answers two batches at once as it answers one after the other."""
    if effect_of(function.graph.as_graph_def()) or _loops(function):
        return False
    size = len(examples[0])
    halves = slice(size), slice(size, None)
    try:
        answer = _runner(function)
        for trial in trials([np.concatenate([array, array]) for array in examples]):
            parts = [answer(*(array[rows] for array in trial.inputs)) for rows in halves]
            if not _close(trial, answer(*trial.inputs), [np.concatenate(pair) for pair in zip(*parts)]):
                return False
    except Exception:  # noqa: BLE001 - whatever a model raises for such values
        return False
    return True


def _runner(function: Any) -> Callable[..., list[Array]]:
    """A traced function as a function of arrays."""
    try:
        return Inference(function, Weights(), optimize=True).run_with(1)
    except CannotSeparate:
        return lambda *arrays: [
            tensor.numpy() for tensor in tf.nest.flatten(function(*map(tf.constant, arrays))) if tensor is not None
        ]


def _close(trial: Any, answers: Sequence[Array], wanted: Sequence[Array]) -> bool:
    return all(_same(trial, answer, expected) for answer, expected in zip(answers, wanted))


def _same(trial: Trial, answer: Array, wanted: Array) -> bool:
    if answer.shape != wanted.shape or wanted.dtype.kind in "OSU":
        return np.array_equal(answer, wanted)
    dtype, wide = wanted.dtype.name, "c16" if wanted.dtype.kind == "c" else "f8"
    answer, wanted = answer.astype(wide), wanted.astype(wide)
    close = trial.close(dtype, float(np.abs(wanted).max(initial=0)), bf16=False)
    return np.allclose(answer, wanted, equal_nan=True, **close)
