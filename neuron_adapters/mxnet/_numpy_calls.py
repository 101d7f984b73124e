"""NumPy's functions as calls of MXNet's operators: the same ones for ``mx.np`` and ``mx.sym.np``.

Parameters are in NumPy's order. What needs more than a row of a table is in ``_numpy_forms``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from neuron_adapters.mxnet._operators import numpy_names
from neuron_adapters.mxnet.base import MXNetValueError

#: The operator of a function of arrays, how many of its parameters are arrays, and its parameters.
CALLS = {
    "all": ("_np_all", 1, "a axis out keepdims"),
    "any": ("_np_any", 1, "a axis out keepdims"),
    "argmax": ("_npi_argmax", 1, "a axis out keepdims"),
    "argmin": ("_npi_argmin", 1, "a axis out keepdims"),
    "argsort": ("argsort", 1, "a axis kind order"),
    "around": ("_npi_around", 1, "x decimals out"),
    "bitwise_not": ("_npi_bitwise_not", 1, "x out"),
    "broadcast_to": ("_npi_broadcast_to", 1, "array shape"),
    "copy": ("_np_copy", 1, "a"),
    "cumsum": ("_np_cumsum", 1, "a axis dtype out"),
    "diag": ("_np_diag", 1, "v k"),
    "diag_indices_from": ("_npi_diag_indices_from", 1, "arr"),
    "diagflat": ("_np_diagflat", 1, "v k"),
    "diagonal": ("_np_diagonal", 1, "a offset axis1 axis2"),
    "diff": ("_npi_diff", 1, "a n axis"),
    "dot": ("_np_dot", 2, "a b out"),
    "expand_dims": ("expand_dims", 1, "a axis"),
    "full_like": ("_npi_full_like", 1, "a fill_value dtype order ctx out"),
    "matmul": ("_npi_matmul", 2, "a b out"),
    "max": ("_np_max", 1, "a axis out keepdims initial"),
    "mean": ("_npi_mean", 1, "a axis dtype out keepdims"),
    "min": ("_np_min", 1, "a axis out keepdims initial"),
    "moveaxis": ("_np_moveaxis", 1, "a source destination"),
    "nan_to_num": ("_npi_nan_to_num", 1, "x copy nan posinf neginf"),
    "polyval": ("_npi_polyval", 2, "p x"),
    "prod": ("_np_prod", 1, "a axis dtype out keepdims initial"),
    "repeat": ("repeat", 1, "a repeats axis"),
    "reshape": ("_np_reshape", 1, "a newshape order"),
    "roll": ("_np_roll", 1, "a shift axis"),
    "rot90": ("_npi_rot90", 1, "m k axes"),
    "sort": ("sort", 1, "a axis kind order"),
    "squeeze": ("_np_squeeze", 1, "a axis"),
    "std": ("_npi_std", 1, "a axis dtype out ddof keepdims"),
    "sum": ("_np_sum", 1, "a axis dtype out keepdims initial"),
    "swapaxes": ("SwapAxis", 1, "a dim1 dim2"),
    "tile": ("tile", 1, "A reps"),
    "trace": ("_np_trace", 1, "a offset axis1 axis2 out"),
    "transpose": ("_np_transpose", 1, "a axes"),
    "tril": ("_npi_tril", 1, "m k"),
    "var": ("_npi_var", 1, "a axis dtype out ddof keepdims"),
    # of a list of arrays
    "column_stack": ("_npi_column_stack", 0, "tup"),
    "dstack": ("_npi_dstack", 0, "arrays"),
    "hstack": ("_npi_hstack", 0, "arrays"),
    "stack": ("_npi_stack", 0, "arrays axis out"),
    "vstack": ("_npi_vstack", 0, "arrays out"),
    # of no array
    "blackman": ("_npi_blackman", -1, "M dtype ctx"),
    "full": ("_npi_full", -1, "shape value dtype order"),
    "hamming": ("_npi_hamming", -1, "M dtype ctx"),
    "hanning": ("_npi_hanning", -1, "M dtype ctx"),
    "ones": ("_npi_ones", -1, "shape dtype order"),
    "zeros": ("_npi_zeros", -1, "shape dtype order"),
}  # fmt: skip
OF_ONE = (
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "degrees",
    "exp", "expm1", "fix", "floor", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "log", "log10", "log1p",
    "log2", "logical_not", "negative", "radians", "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square", "tan",
    "tanh", "trunc",
)  # fmt: skip
#: By what ``_operators`` calls them.
OF_TWO = {
    "add": "add", "divide": "divide", "equal": "equal", "greater": "greater", "greater_equal": "greater_equal",
    "less": "lesser", "less_equal": "lesser_equal", "maximum": "maximum", "minimum": "minimum", "mod": "modulo",
    "multiply": "multiply", "not_equal": "not_equal", "power": "power", "subtract": "subtract",
}  # fmt: skip
#: Of two arrays, or of an array and a number, by operators of those names; whether the order counts.
_PAIRS = {
    "arctan2": True, "bitwise_and": False, "bitwise_or": False, "bitwise_xor": False, "copysign": True, "hypot": False,
    "lcm": False, "ldexp": True,
}  # fmt: skip
ALIASES = {
    "abs": "absolute", "amax": "max", "amin": "min", "deg2rad": "radians", "fabs": "absolute", "invert": "bitwise_not",
    "rad2deg": "degrees", "remainder": "mod", "round": "around", "round_": "around", "row_stack": "vstack",
    "sometrue": "any", "product": "prod", "true_divide": "divide",
}  # fmt: skip


#: What NumPy's functions of one and of two arrays take besides, and the only value that MXNet has for it.
_OPTIONS = {"where": True, "casting": "same_kind", "order": "K", "dtype": None, "subok": True}


class Node(Protocol):
    """Makes a node, or computes: of an operator, its inputs and attributes."""

    def __call__(self, operator: str, inputs: Sequence[Any], name: str | None = None, **attributes: Any) -> Any:
        """Attributes that are None are left out."""


Form = Callable[..., Any]
#: Functions that are more than an operator and its attributes; each gets the calls first.
FORMS: dict[str, Form] = {}


def form(function: Form) -> Form:
    """Register a function of ``FORMS`` by its name, without an underscore at its end."""
    FORMS[function.__name__.rstrip("_")] = function
    return function


class NumpyCalls:
    """The functions over objects of one class. ``shown``: the module that shows them. ``symbolic``: the
    objects are symbols, and their operators nodes."""

    def __init__(self, shown: str, kind: type, node: Node, *, symbolic: bool) -> None:
        self.shown, self.kind, self.node, self.symbolic = shown, kind, node, symbolic
        self._functions: dict[str, Callable[..., Any]] = {}

    def of(self, name: str) -> Callable[..., Any] | None:
        """Return the function of that name, None where there is no operator for it."""
        if name not in self._functions:
            plain = ALIASES.get(name, name)
            if plain in FORMS:
                function: Callable[..., Any] = functools.partial(FORMS[plain], self)
            elif plain in CALLS:
                function = self._of_arrays(plain)
            elif plain in OF_ONE:
                function = self._of_one(plain)
            elif plain in OF_TWO or plain in _PAIRS:
                function = self._of_two(plain)
            else:
                return None
            self._functions[name] = _described(function, name)
        return self._functions[name]

    def outputs(self, result: Any) -> list[Any]:
        """List the outputs of an operator that may have several."""
        return [result] if isinstance(result, self.kind) and not self.symbolic else list(result)

    def is_array(self, value: Any) -> bool:
        """Whether it is one of the objects, and no number."""
        return isinstance(value, self.kind)

    def _of_arrays(self, name: str) -> Callable[..., Any]:
        operator, arrays, words = CALLS[name]
        parameters = words.split()

        def call(*args: Any, **keywords: Any) -> Any:
            if len(args) > len(parameters):
                raise TypeError(f"{self.shown}.{name}() takes at most {len(parameters)} arguments, got {len(args)}")
            values = {**dict(zip(parameters, args)), **keywords}
            node_name = values.pop("name", None)
            if values.pop("out", None) is not None:
                raise MXNetValueError(f"{self.shown}.{name}(out=...): a graph's nodes do not write into others.")
            for ignored in ("order", "ctx", "device", "kind"):  # always C; where the graph runs; how it sorts
                values.pop(ignored, None)
            if values.get("dtype") is not None:
                values["dtype"] = np.dtype(values["dtype"]).name
            if arrays < 0:
                return self.node(operator, [], node_name, **{"dtype": "float32", **values})
            first = parameters[: max(1, arrays)]
            if missing := [parameter for parameter in first if parameter not in values]:
                raise TypeError(f"{self.shown}.{name}() needs {', '.join(missing)}")
            inputs = [values.pop(parameter) for parameter in first]
            taken = inputs if arrays else list(inputs[0])
            if not all(map(self.is_array, taken)):
                what = f"{self.kind.__name__.lower()}s"
                raise TypeError(f"{self.shown}.{name}() takes {what} as {', '.join(first)}, got {taken!r}")
            return self.node(operator, taken, node_name, **values)

        return call

    def _of_one(self, name: str) -> Callable[..., Any]:
        def call(x: Any, out: None = None, **options: Any) -> Any:  # noqa: ARG001 - NumPy's signature
            _require_defaults(name, options)
            if not self.is_array(x):
                return getattr(np, name)(x)  # of a number, as in MXNet
            return self.node(f"_npi_{name}", [x])

        return call

    def _of_two(self, name: str) -> Callable[..., Any]:
        def call(x1: Any, x2: Any, out: None = None, **options: Any) -> Any:  # noqa: ARG001 - NumPy's signature
            _require_defaults(name, options)
            if not self.is_array(x1) and not self.is_array(x2):
                return getattr(np, name)(x1, x2)
            swapped = not self.is_array(x1)
            return self.pair(name, x2 if swapped else x1, x1 if swapped else x2, swapped=swapped)

        return call

    def scalar(self, number: Any, *, swapped: bool = False) -> dict[str, Any]:
        """Return the attributes of an operator that takes a number. For arrays MXNet does not say whether it is whole,
        and counts it as whole then: of int32, x * 1.5 is int32. A left operand of a symbol counts as not whole."""
        is_int = isinstance(number, (int, np.integer, np.bool_)) and not swapped
        return {"scalar": float(number), **({"is_int": is_int} if self.symbolic else {})}

    def pair(self, name: str, x: Any, other: Any, *, swapped: bool = False) -> Any:
        """Apply a function of two to ``x`` and ``other``, an object of the class or a number. ``swapped``: ``other`` is
        the left operand."""
        if name in OF_TWO:
            return self.combine(OF_TWO[name], x, other, swapped=swapped)
        if self.is_array(other):
            return self.node(f"_npi_{name}", [other, x] if swapped else [x, other])
        if name == "hypot":
            return self.node("_hypot_scalar", [x], **self.scalar(other, swapped=swapped))
        reverse = "r" if swapped and _PAIRS[name] else ""
        return self.node(f"_npi_{reverse}{name}_scalar", [x], **self.scalar(other, swapped=swapped))

    def combine(self, kind: str, x: Any, other: Any, *, swapped: bool = False) -> Any:
        """Apply what ``_operators`` calls ``kind``, likewise. Raises TypeError for any other operand."""
        of_two, of_scalar = numpy_names(kind, swapped)
        if self.is_array(other):
            return self.node(of_two, [other, x] if swapped else [x, other])
        if not isinstance(other, (int, float, np.number, np.bool_)):
            what = self.kind.__name__
            raise TypeError(f"a {what} can be combined with a {what} or a number, got {type(other).__name__}")
        return self.node(of_scalar, [x], **self.scalar(other, swapped=swapped))

    def names(self) -> set[str]:
        """List all of them."""
        return {*FORMS, *CALLS, *OF_ONE, *OF_TWO, *_PAIRS, *ALIASES}


def _require_defaults(name: str, options: Mapping[str, Any]) -> None:
    """Raise TypeError for an option that there is not, NotImplementedError for a value that MXNet does not have."""
    for option, value in options.items():
        if option not in _OPTIONS:
            raise TypeError(f"{option} is an invalid keyword to function {name!r}")
        known = _OPTIONS[option]
        if not isinstance(value, type(known)) or value != known:
            raise NotImplementedError(f"{name}({option}={value!r}): MXNet has {known!r} only")


def _described(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        return function(*args, **keywords)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"NumPy's {name}, by MXNet's operator."
    return call
