"""A new node from symbols and attributes, with variables for what is not given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuron_adapters.mxnet import name as names
from neuron_adapters.mxnet._graph import HIDDEN, Entry, Node, hidden, set_initial, variable_of
from neuron_adapters.mxnet._signatures import Called, called, own_name
from neuron_adapters.mxnet.attribute import scoped
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.operators import find

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator

_OWN = re.compile("__.+__")


class Outputs:
    """One or more outputs of a graph."""

    __slots__ = ("_entries",)

    def __init__(self, heads: Sequence[Entry]) -> None:
        self._entries = list(heads)

    def __len__(self) -> int:
        return len(self._entries)


def create(
    operator_name: str,
    inputs: Sequence[Outputs],
    named: Mapping[str, Outputs],
    attrs: Mapping[str, Any],
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
    hint: str = "",
) -> list[Entry]:
    """The outputs of a new ``operator_name``. ``inputs`` in the order of the operator's, ``named`` by its names for
    them; ``hint``: what it is called, with a number, where it has no name.

    Raises MXNetError, or MXNetValueError where an argument is wrong.
    """
    operator = find(operator_name)
    if operator is None:
        raise MXNetError(f"the operator {operator_name} is not supported by neuron_adapters.mx.")
    name = names.current().get(name, hint or operator_name.lower())
    texts = {key: attr_text(value, key) for key, value in attrs.items()}
    if operator.variadic:
        texts.setdefault(operator.variadic, str(len(inputs) + len(named)))
        if texts[operator.variadic] == "0":
            raise MXNetValueError(f"{operator_name} takes at least one symbol.")
    _check_attributes(operator, called(operator_name), texts)
    node = Node(own_name(operator_name), name, {hidden(key): value for key, value in {**scoped(attr), **texts}.items()})
    try:
        expected, outputs = operator.inputs(node.attrs), operator.outputs(node.attrs)
    except ValueError as error:
        raise MXNetValueError(f"{operator_name} {name!r}: {error}.") from error
    _check_hidden(operator_name, expected, node.attrs)
    symbols = _by_name(operator_name, expected, inputs, named)
    node.inputs = [
        _single(operator_name, input_name, symbols[input_name])
        if input_name in symbols
        else Entry(variable_of(node, input_name))
        for input_name in expected
    ]
    set_initial(node)
    return [Entry(node, index) for index in range(len(outputs))]


def attr_text(value: Any, key: str = "") -> str:
    """Format ``value`` as symbol files have it: ``(3, 3)``, ``True``, ``float32``."""
    if key == "dtype" and value is not None and not isinstance(value, str):
        return str(np.dtype(value).name)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(repr(element) if isinstance(element, str) else attr_text(element) for element in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value)


def _check_attributes(operator: Operator, signature: Called | None, texts: Mapping[str, str]) -> None:
    if signature is None:
        return
    known = {*signature.attributes, *HIDDEN, operator.variadic}
    for key in texts:
        if key not in known and not _OWN.fullmatch(key):
            raise MXNetValueError(
                f"{operator.name} has no parameter {key!r}. It has: {', '.join(signature.attributes) or 'none'}. "
                "Attributes of your own begin and end with two underscores."
            )
    missing = sorted(signature.required - set(texts))
    if missing:
        raise MXNetValueError(f"{operator.name} needs {', '.join(missing)}.")


def _check_hidden(operator_name: str, expected: Sequence[str], texts: Mapping[str, str]) -> None:
    for key in texts:
        for name in expected:
            if key in {f"{name}_{word}" for word in HIDDEN}:
                word = key[len(name) + 1 :]
                raise MXNetValueError(
                    f"{operator_name}: {key} is said at the variable: {name}=mx.sym.var(..., {word}={texts[key]!r})."
                )


def _by_name(
    operator_name: str, expected: Sequence[str], inputs: Sequence[Outputs], named: Mapping[str, Outputs]
) -> dict[str, Outputs]:
    if len(inputs) > len(expected):
        raise MXNetValueError(f"{operator_name} takes {len(expected)} inputs here, got {len(inputs)}.")
    symbols = dict(zip(expected, inputs))
    for key, symbol in named.items():
        if key not in expected or key in symbols:
            why = "is given twice" if key in symbols else "is not one of its inputs here"
            raise MXNetValueError(f"{operator_name}: {key} {why}. They are: {', '.join(expected)}.")
        symbols[key] = symbol
    return symbols


def _single(operator_name: str, name: str, symbol: Outputs) -> Entry:
    if len(symbol) != 1:
        raise MXNetValueError(
            f"{operator_name}: {name} takes one output, and {symbol!r} has {len(symbol)}: choose one, as in symbol[0]."
        )
    return symbol._entries[0]
