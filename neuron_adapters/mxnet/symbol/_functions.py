"""Operators as functions: ``mx.sym.Convolution(data, kernel=(3, 3), num_filter=8)``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet._graph import Entry
from neuron_adapters.mxnet._signatures import Called, called
from neuron_adapters.mxnet.operators import find, names
from neuron_adapters.mxnet.symbol._compose import Outputs, create

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator

_TAKEN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)


class Namespace:
    """The operators whose names begin in one way: ``mx.sym.contrib.box_nms`` is ``_contrib_box_nms``."""

    def __init__(self, symbol: Callable[[Sequence[Entry]], Outputs], prefix: str) -> None:
        self._symbol = symbol
        self._prefix = prefix

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return function_of(self._symbol, self._prefix + name, name)

    def __dir__(self) -> list[str]:
        return [name[len(self._prefix) :] for name in names() if name.startswith(self._prefix)]


@functools.cache
def function_of(symbol: Callable[[Sequence[Entry]], Outputs], name: str, short: str = "") -> Callable[..., Any]:
    """Return the function for the operator ``name``, which creates a ``symbol``. ``short``: its name in its namespace.
    Raises AttributeError where there is no such operator."""
    operator = find(name)
    if operator is None:
        known = called(name) is not None
        raise AttributeError(
            f"mx.sym has no {name}: "
            + ("it is an operator of MXNet, and not supported here." if known else "MXNet has no such operator.")
        )
    signature = called(name) or Called(name, tuple(_inputs(operator)), (), frozenset(), bool(operator.variadic))

    def call(*args: Any, name: str | None = None, attr: dict[str, str] | None = None, **keywords: Any) -> Outputs:
        keywords.pop("out", None)
        inputs, named, attrs = _sort(call.__name__, signature, args, keywords)
        return symbol(create(operator_name, inputs, named, attrs, name, attr, hint))

    operator_name, hint = name, (short or name).lower()
    call.__name__ = call.__qualname__ = short or name
    call.__doc__ = _describe(operator, signature)
    call.__signature__ = _signature(signature, symbol)  # type: ignore[attr-defined]
    return call


def _sort(
    name: str, signature: Called, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[list[Outputs], dict[str, Outputs], dict[str, Any]]:
    """Sort the arguments of a call into inputs by position, inputs by name, and attributes."""
    attrs: dict[str, Any] = {}
    inputs: list[Outputs] = []
    named: dict[str, Outputs] = {}
    order = [*signature.inputs, *signature.attributes]
    for place, value in enumerate(args):
        if signature.variadic or place < len(signature.inputs):
            if isinstance(value, Outputs):
                inputs.append(value)
            elif value is not None or signature.variadic:
                raise TypeError(f"{name}() takes symbols as its inputs, got {value!r}")
        elif place < len(order):
            attrs[order[place]] = value
        else:
            raise TypeError(f"{name}() takes at most {len(order)} arguments, got {len(args)}")
    for key, value in keywords.items():
        if isinstance(value, Outputs):
            named[key] = value
        elif key in signature.inputs and not signature.variadic:
            if value is not None:
                raise TypeError(f"{name}() takes symbols as its inputs, got {key}={value!r}")
        elif key in attrs:
            raise TypeError(f"{name}() got {key} twice")
        else:
            attrs[key] = value
    return inputs, named, attrs


def _inputs(operator: Operator) -> list[str]:
    try:
        return list(operator.inputs({}))
    except ValueError:
        return ["data"]


def _signature(signature: Called, symbol: Callable[[Sequence[Entry]], Outputs]) -> inspect.Signature:
    positional, keyword, variadic = _TAKEN
    if signature.variadic:
        parameters = [inspect.Parameter(signature.inputs[0], variadic)]
    else:
        parameters = [inspect.Parameter(name, positional, default=None) for name in signature.inputs]
    kind = keyword if signature.variadic else positional
    parameters += [inspect.Parameter(name, kind, default=...) for name in signature.attributes if name.isidentifier()]
    parameters += [inspect.Parameter(name, keyword, default=None) for name in ("name", "attr")]
    return inspect.Signature(parameters, return_annotation=symbol)


def _describe(operator: Operator, signature: Called) -> str:
    needs = ", ".join(sorted(signature.required)) or "nothing but its inputs"
    return f"A Symbol of MXNet's operator {operator.name}. It needs {needs}; inputs not given become variables."
