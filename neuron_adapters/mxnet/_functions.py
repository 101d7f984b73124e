"""Operators as functions: ``mx.sym.Convolution(data, kernel=(3, 3), num_filter=8)``, and ``mx.nd.Convolution``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neuron_adapters.mxnet._signatures import Called, called, own_name
from neuron_adapters.mxnet._training import is_optimizer, refuse_missing, refuse_name
from neuron_adapters.mxnet.operators import find, names

if TYPE_CHECKING:
    from neuron_adapters.mxnet.operators._registry import Operator

_TAKEN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)


class Functions:
    """All operators as functions of objects of one class. ``shown``: the module that shows them, ``mx.sym``."""

    def __init__(self, shown: str, kind: type, call: Callable[..., Any]) -> None:
        """``call`` gets the operator's name, inputs by position, inputs by name, attributes, a hint for the name of
        a node, and the keywords ``name``, ``attr``, ``out`` and ``ctx`` where they are given."""
        self._shown = shown
        self._kind = kind
        self._call = call
        self._cache: dict[tuple[str, str], Callable[..., Any]] = {}

    def of(self, name: str, short: str = "") -> Callable[..., Any]:
        """Return the function for the operator ``name``. ``short``: its name in its namespace. Raises MissingNameError
        where this package has no such operator, TrainingError where training needs it; both are AttributeErrors."""
        function = self._cache.get((name, short))
        if function is None:
            function = self._cache[name, short] = self._make(name, short)
        return function

    def _make(self, name: str, short: str) -> Callable[..., Any]:
        operator = find(name)
        if operator is None:
            place = name.removesuffix(short).strip("_")  # of "_contrib_x" as "x": "contrib"
            shown = ".".join(filter(None, (self._shown, place if short else "", short or name)))
            if is_optimizer(name):
                refuse_name(shown)
            refuse_missing(shown)
        signature = called(name) or Called(name, tuple(_inputs(operator)), (), frozenset(), bool(operator.variadic))
        operator_name, hint, kind, make = name, (short or name).lower(), self._kind, self._call

        def call(*args: Any, **keywords: Any) -> Any:
            more = {key: keywords.pop(key) for key in _NOT_ATTRIBUTES if key in keywords}
            inputs, named, attrs = _sort(call.__name__, signature, kind, args, keywords)
            return make(operator_name, inputs, named, attrs, hint, **more)

        call.__name__ = call.__qualname__ = short or name
        call.__doc__ = _describe(operator, signature)
        call.__signature__ = _signature(signature)  # type: ignore[attr-defined]
        return call


class Namespace:
    """The operators whose names begin in one way: ``mx.sym.contrib.box_nms`` is ``_contrib_box_nms``."""

    def __init__(self, functions: Functions, prefix: str, **more: Callable[..., Any]) -> None:
        """``more``: functions that are no operators."""
        self._functions = functions
        self._prefix = prefix
        vars(self).update(more)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._functions.of(self._prefix + name, name)

    def __dir__(self) -> list[str]:
        own = [name for name in vars(self) if not name.startswith("_")]
        return own + [name[len(self._prefix) :] for name in names() if name.startswith(self._prefix)]


class Prefixed:
    """The operators whose names begin in one way, for arrays and symbols of deep NumPy. ``shown``: the module that
    shows them; ``own``: makes a result one of deep NumPy."""

    def __init__(self, functions: Functions, prefix: str, shown: str, own: Callable[[Any], Any]) -> None:
        self._functions, self._prefix, self._shown, self._own = functions, prefix, shown, own

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operator, own = self._prefix + name, self._own
        if name.startswith("__") or find(operator) is None:
            refuse_missing(f"{self._shown}.{name}")
        function = self._functions.of(operator, name)

        def call(*args: Any, **keywords: Any) -> Any:
            return own(function(*args, **keywords))

        call.__name__ = call.__qualname__ = name
        call.__doc__ = f"MXNet's operator {own_name(operator)}, by NumPy's rules."
        return call


#: Keywords of every function.
_NOT_ATTRIBUTES = ("name", "attr", "out", "ctx")


def _sort(
    name: str, signature: Called, kind: type, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Sort the arguments of a call into inputs by position, inputs by name, and attributes."""
    attrs: dict[str, Any] = {}
    inputs: list[Any] = []
    named: dict[str, Any] = {}
    order = [*signature.inputs, *signature.attributes]
    for place, value in enumerate(args):
        if signature.variadic or place < len(signature.inputs):
            if isinstance(value, kind):
                inputs.append(value)
            elif value is not None or signature.variadic:
                raise TypeError(f"{name}() takes {kind.__name__}s as its inputs, got {value!r}")
        elif place < len(order):
            attrs[order[place]] = value
        else:
            raise TypeError(f"{name}() takes at most {len(order)} arguments, got {len(args)}")
    for key, value in keywords.items():
        if isinstance(value, kind):
            named[key] = value
        elif key in signature.inputs and not signature.variadic:
            if value is not None:
                raise TypeError(f"{name}() takes {kind.__name__}s as its inputs, got {key}={value!r}")
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


def _signature(signature: Called) -> inspect.Signature:
    positional, keyword, variadic = _TAKEN
    if signature.variadic:
        parameters = [inspect.Parameter(signature.inputs[0], variadic)]
    else:
        parameters = [inspect.Parameter(name, positional, default=None) for name in signature.inputs]
    kind = keyword if signature.variadic else positional
    parameters += [inspect.Parameter(name, kind, default=...) for name in signature.attributes if name.isidentifier()]
    parameters += [inspect.Parameter(name, keyword, default=None) for name in ("name", "attr")]
    return inspect.Signature(parameters)


def _describe(operator: Operator, signature: Called) -> str:
    needs = ", ".join(sorted(signature.required)) or "nothing but its inputs"
    return f"MXNet's operator {operator.name}. It needs {needs}."
