"""Matches the nested structures of tensors in a call with those that were compiled (SPEC X2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from neuron_adapters.tf._errors import InputArgumentError

Signature = tuple[tuple[Any, ...], dict[str, Any]]


def plain(value: Any) -> Any:
    """``value`` with a dictionary for every mapping. Tokenizers return others, which TensorFlow treats as a leaf."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def bind(signature: Signature, names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The leaves of a call's arguments, in the order of ``tf.nest.flatten(signature)``.

    ``names``: of the function's arguments, in its own order. An argument that was compiled by name may be passed by
    position and vice versa, and a list, tuple or dictionary may hold all arguments. Raises InputArgumentError for
    anything else: tensors are never matched by guess.
    """
    call = plain(tuple(args)), plain(dict(kwargs))
    if _alike(signature, call):
        return list(tf.nest.flatten(call))
    for attempt in _readings(signature, names, *call):
        if _alike(signature, attempt):
            return list(tf.nest.flatten(attempt))
    raise InputArgumentError(f"The model was compiled to be called with {_said(signature)}, got {_said(call)}.")


def _readings(signature: Signature, names: Sequence[str], args: Any, kwargs: Any) -> Iterator[Signature]:
    """Yield the calls that the arguments may stand for."""
    wanted_args, wanted_kwargs = signature
    positional = list(names[: len(wanted_args)])
    order = [*positional, *(name for name in names if name in wanted_kwargs)]
    calls = [(args, kwargs)]
    if len(args) == 1 and not kwargs:
        if isinstance(args[0], dict):
            calls.append(((), args[0]))
        elif isinstance(args[0], (list, tuple)):
            calls.append((tuple(args[0]), {}))
    for by_position, by_name in calls:
        arguments = {**dict(zip(order, by_position)), **by_name}
        if len(arguments) == len(by_position) + len(by_name) and set(arguments) == set(order):
            yield tuple(arguments[name] for name in positional), {name: arguments[name] for name in wanted_kwargs}
    if len(wanted_args) == 1 and not wanted_kwargs:
        (only,) = wanted_args
        if isinstance(only, (list, tuple)) and not kwargs:
            yield (list(args),), {}
        elif isinstance(only, dict) and not args:
            yield (kwargs,), {}


def _alike(structure: Any, other: Any) -> bool:
    """Whether two structures have the same leaves, under the same keys. A list may stand for a tuple."""
    try:
        tf.nest.assert_same_structure(structure, other, check_types=False)
    except (TypeError, ValueError):
        return False
    return _same_keys(structure, other)


def _same_keys(structure: Any, other: Any) -> bool:
    """Whether the dictionaries in two structures of the same form have the same keys, which TensorFlow leaves
    unchecked."""
    if isinstance(structure, dict):
        return structure.keys() == other.keys() and all(_same_keys(structure[key], other[key]) for key in structure)
    if isinstance(structure, (list, tuple)):
        return all(map(_same_keys, structure, other))
    return True


def _said(call: Signature) -> str:
    """The structure of a call's arguments as text."""
    args, kwargs = call
    parts = [*map(_form, args), *(f"{name}={_form(value)}" for name, value in kwargs.items())]
    return f"({', '.join(parts)})"


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_form(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + ", ".join(map(_form, value)) + closing
    return "tensor" if tf.is_tensor(value) or isinstance(value, tf.TensorSpec) else type(value).__name__
