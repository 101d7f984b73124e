"""A new node from symbols and attributes, with variables for what is not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuron_adapters.mxnet import name as names
from neuron_adapters.mxnet._calls import attribute_texts, by_name
from neuron_adapters.mxnet._graph import HIDDEN, Entry, Node, hidden, set_initial, variable_of
from neuron_adapters.mxnet._signatures import own_name
from neuron_adapters.mxnet.attribute import scoped
from neuron_adapters.mxnet.base import MXNetError, MXNetValueError
from neuron_adapters.mxnet.operators import find


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
        raise MXNetError(f"the operator {operator_name} is not in this package.")
    name = names.current().get(name, hint or operator_name.lower())
    texts = attribute_texts(operator, operator_name, len(inputs) + len(named), attrs)
    node = Node(own_name(operator_name), name, {hidden(key): value for key, value in {**scoped(attr), **texts}.items()})
    try:
        expected, outputs = operator.inputs(node.attrs), operator.outputs(node.attrs)
    except ValueError as error:
        raise MXNetValueError(f"{operator_name} {name!r}: {error}.") from error
    _check_hidden(operator_name, expected, node.attrs)
    symbols = by_name(operator_name, expected, inputs, named)
    node.inputs = [
        _single(operator_name, input_name, symbols[input_name])
        if input_name in symbols
        else Entry(variable_of(node, input_name))
        for input_name in expected
    ]
    set_initial(node)
    return [Entry(node, index) for index in range(len(outputs))]


def _check_hidden(operator_name: str, expected: Sequence[str], texts: Mapping[str, str]) -> None:
    for key in texts:
        for name in expected:
            if key in {f"{name}_{word}" for word in HIDDEN}:
                word = key[len(name) + 1 :]
                raise MXNetValueError(
                    f"{operator_name}: {key} is said at the variable: {name}=mx.sym.var(..., {word}={texts[key]!r})."
                )


def _single(operator_name: str, name: str, symbol: Outputs) -> Entry:
    if len(symbol) != 1:
        raise MXNetValueError(
            f"{operator_name}: {name} takes one output, and {symbol!r} has {len(symbol)}: choose one, as in symbol[0]."
        )
    return symbol._entries[0]
