"""``mx.sym.np``: NumPy's functions on symbols, for blocks of deep NumPy: ``F.np.sum(x, axis=1)`` in ``hybrid_forward``.

A function is a node of MXNet's operator for it, with MXNet's name; parameters are in NumPy's order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuron_adapters.mxnet._calls import split_attributes
from neuron_adapters.mxnet._operators import numpy_names
from neuron_adapters.mxnet._training import refuse_missing
from neuron_adapters.mxnet.base import MXNetIndexError, MXNetValueError
from neuron_adapters.mxnet.symbol._compose import create
from neuron_adapters.mxnet.symbol._symbol import Symbol

__all__: list[str] = []

#: The operator of a function of arrays, how many of its parameters are arrays, and its parameters.
_CALLS = {
    "all": ("_np_all", 1, "a axis out keepdims"),
    "any": ("_np_any", 1, "a axis out keepdims"),
    "argmax": ("_npi_argmax", 1, "a axis out keepdims"),
    "argmin": ("_npi_argmin", 1, "a axis out keepdims"),
    "argsort": ("argsort", 1, "a axis kind order"),
    "around": ("_npi_around", 1, "x decimals out"),
    "broadcast_to": ("_npi_broadcast_to", 1, "array shape"),
    "copy": ("_np_copy", 1, "a"),
    "cumsum": ("_np_cumsum", 1, "a axis dtype out"),
    "dot": ("_np_dot", 2, "a b out"),
    "expand_dims": ("expand_dims", 1, "a axis"),
    "flip": ("_npi_flip", 1, "m axis out"),
    "full_like": ("_npi_full_like", 1, "a fill_value dtype"),
    "hypot": ("_npi_hypot", 2, "x1 x2 out"),
    "matmul": ("_npi_matmul", 2, "a b out"),
    "max": ("_np_max", 1, "a axis out keepdims initial"),
    "mean": ("_npi_mean", 1, "a axis dtype out keepdims"),
    "min": ("_np_min", 1, "a axis out keepdims initial"),
    "moveaxis": ("_np_moveaxis", 1, "a source destination"),
    "nan_to_num": ("_npi_nan_to_num", 1, "x copy nan posinf neginf"),
    "prod": ("_np_prod", 1, "a axis dtype out keepdims initial"),
    "repeat": ("repeat", 1, "a repeats axis"),
    "reshape": ("_np_reshape", 1, "a newshape order"),
    "roll": ("_np_roll", 1, "a shift axis"),
    "sort": ("sort", 1, "a axis kind order"),
    "squeeze": ("_np_squeeze", 1, "a axis"),
    "std": ("_npi_std", 1, "a axis dtype out ddof keepdims"),
    "sum": ("_np_sum", 1, "a axis dtype out keepdims initial"),
    "swapaxes": ("SwapAxis", 1, "a dim1 dim2"),
    "tile": ("tile", 1, "A reps"),
    "transpose": ("_np_transpose", 1, "a axes"),
    "tril": ("_npi_tril", 1, "m k"),
    "var": ("_npi_var", 1, "a axis dtype out ddof keepdims"),
    # of a list of arrays
    "concatenate": ("_npi_concatenate", 0, "seq axis out"),
    "dstack": ("_npi_dstack", 0, "arrays"),
    "hstack": ("_npi_hstack", 0, "arrays"),
    "stack": ("_npi_stack", 0, "arrays axis out"),
    "vstack": ("_npi_vstack", 0, "arrays out"),
    # of no array
    "full": ("_npi_full", -1, "shape value dtype order"),
    "ones": ("_npi_ones", -1, "shape dtype order"),
    "zeros": ("_npi_zeros", -1, "shape dtype order"),
}  # fmt: skip
_OF_ONE = (
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "degrees",
    "exp", "expm1", "fix", "floor", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "log", "log10", "log1p",
    "log2", "logical_not", "negative", "radians", "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square", "tan",
    "tanh", "trunc",
)  # fmt: skip
_OF_TWO = {
    "add": "add", "divide": "divide", "equal": "equal", "greater": "greater", "greater_equal": "greater_equal",
    "less": "lesser", "less_equal": "lesser_equal", "maximum": "maximum", "minimum": "minimum", "mod": "modulo",
    "multiply": "multiply", "not_equal": "not_equal", "power": "power", "remainder": "modulo", "subtract": "subtract",
    "true_divide": "divide",
}  # fmt: skip
_ALIASES = {"abs": "absolute", "amax": "max", "amin": "min", "round": "around"}
_METHODS = {
    "all", "any", "argmax", "argmin", "argsort", "clip", "copy", "cumsum", "dot", "max", "mean", "min", "prod",
    "repeat", "round", "sort", "split", "squeeze", "std", "sum", "swapaxes", "take", "tile", "var",
}  # fmt: skip

pi: float = np.pi
e: float = np.e
inf: float = np.inf
nan: float = np.nan
newaxis: None = None


class _Symbol(Symbol):
    """A symbol that computes by NumPy's rules: ``x + y`` broadcasts, ``x > y`` is boolean, ``x[1, :2]`` is a part."""

    __slots__ = ()

    def as_np_ndarray(self) -> _Symbol:
        """Return the symbol itself."""
        return self

    def as_nd_ndarray(self) -> Symbol:
        """Return the same graph as a classic symbol."""
        return Symbol(self._entries)

    def reshape(self, *shape: Any, order: str = "C") -> Symbol:
        """Return it in another shape; -1 is computed."""
        wanted = shape[0] if len(shape) == 1 else shape
        return _node("_np_reshape", [self], newshape=wanted, order=order)

    def transpose(self, *axes: Any) -> Symbol:
        """Return it with its axes in another order: reversed, where none is given."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _node("_np_transpose", [self], axes=order or None)

    def flatten(self, order: str = "C") -> Symbol:
        """Return it with one axis."""
        return _node("_np_reshape", [self], newshape=(-1,), order=order)

    @property
    def T(self) -> Symbol:  # noqa: N802 - NumPy's name
        """Transposed."""
        return self.transpose()

    def _combined(self, kind: str, other: Any, swapped: bool = False) -> Symbol:
        of_two, of_scalar = numpy_names(kind, swapped)
        if isinstance(other, Symbol):
            return _node(of_two, [other, self] if swapped else [self, other])
        if not isinstance(other, (int, float, np.number, np.bool_)):
            raise TypeError(f"a Symbol can be combined with a Symbol or a number, got {type(other).__name__}")
        is_int = isinstance(other, (int, np.integer, np.bool_))
        return _node(of_scalar, [self], scalar=float(other), is_int=is_int)

    def __getitem__(self, key: Any) -> Symbol:
        if len(self._entries) > 1 or isinstance(key, str):
            return super().__getitem__(key)
        keys = key if isinstance(key, tuple) else (key,)
        if not keys or not all(isinstance(each, (int, np.integer, slice)) for each in keys):
            raise MXNetIndexError(f"a part of a Symbol is chosen by whole numbers and slices, got {key!r}.")
        places = [each if isinstance(each, slice) else _only(int(each)) for each in keys]
        part = _node(
            "slice", [self], begin=[each.start for each in places], end=[each.stop for each in places],
            step=[each.step for each in places],
        )  # fmt: skip
        if isinstance(key, slice):
            return part
        kept = tuple(-2 if isinstance(each, slice) else -3 for each in keys)  # the -4: all further axes
        return _node("_npx_reshape", [part], newshape=(*kept, -4))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _METHODS:
            return functools.partial(_function(name), self)
        return super().__getattr__(name)


def _only(place: int) -> slice:
    return slice(place, place + 1 or None, 1)


def _node(operator: str, inputs: Sequence[Symbol], name: str | None = None, **attrs: Any) -> _Symbol:
    """Return a node of the operator; attributes that are None are left out."""
    said = {key: value for key, value in attrs.items() if value is not None}
    hint = operator.removeprefix("_npi_").removeprefix("_npx_").removeprefix("_np_").lower()
    hint = "swapaxes" if operator == "SwapAxis" else hint
    return _Symbol(create(operator, inputs, {}, said, name, None, hint))


def _of_arrays(name: str) -> Callable[..., Any]:
    """Make a function out of ``_CALLS``."""
    operator, arrays, words = _CALLS[name]
    parameters = words.split()

    def call(*args: Any, **keywords: Any) -> Any:
        if len(args) > len(parameters):
            raise TypeError(f"mx.sym.np.{name}() takes at most {len(parameters)} arguments, got {len(args)}")
        values = {**dict(zip(parameters, args)), **keywords}
        node_name = values.pop("name", None)
        if values.pop("out", None) is not None:
            raise MXNetValueError(f"mx.sym.np.{name}(out=...): a graph's nodes do not write into others.")
        for ignored in ("order", "ctx", "device", "kind"):  # always C; where the graph runs; how it sorts
            values.pop(ignored, None)
        if arrays < 0:
            return _node(operator, [], node_name, **{"dtype": "float32", **values})
        first = parameters[: max(1, arrays)]
        if missing := [parameter for parameter in first if parameter not in values]:
            raise TypeError(f"mx.sym.np.{name}() needs {', '.join(missing)}")
        inputs = [values.pop(parameter) for parameter in first]
        taken = inputs if arrays else list(inputs[0])
        if not all(isinstance(symbol, Symbol) for symbol in taken):
            raise TypeError(f"mx.sym.np.{name}() takes symbols as {', '.join(first)}, got {taken!r}")
        return _node(operator, taken, node_name, **values)

    return call


def _of_one(name: str) -> Callable[..., Any]:
    def call(x: Symbol, out: None = None, **_where: Any) -> Any:  # noqa: ARG001 - NumPy's signature
        if not isinstance(x, Symbol):
            return getattr(np, name)(x)  # of a number, as in MXNet
        return _node(f"_npi_{name}", [x])

    return call


def _of_two(name: str) -> Callable[..., Any]:
    def call(x1: Any, x2: Any, out: None = None) -> Any:  # noqa: ARG001 - NumPy's signature
        if not isinstance(x1, Symbol) and not isinstance(x2, Symbol):
            return getattr(np, name)(x1, x2)
        if isinstance(x1, Symbol):
            return _Symbol(x1._entries)._combined(_OF_TWO[name], x2)
        return _Symbol(x2._entries)._combined(_OF_TWO[name], x1, swapped=True)

    return call


def where(condition: Symbol, x: Any, y: Any) -> Symbol:
    """Choose from ``x`` where ``condition`` holds, else from ``y``; either may be a number."""
    if isinstance(x, Symbol) and isinstance(y, Symbol):
        return _node("_npi_where", [condition, x, y])
    if isinstance(x, Symbol):
        return _node("_npi_where_rscalar", [condition, x], scalar=float(y))
    if isinstance(y, Symbol):
        return _node("_npi_where_lscalar", [condition, y], scalar=float(x))
    return _node("_npi_where_scalar2", [condition], x=float(x), y=float(y))


def split(ary: Symbol, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Symbol]:
    """Split into equal parts, or at indices; a list."""
    places = indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections)
    return list(_node("_split_v2", [ary], **split_attributes(places, axis, squeeze_axis=False)))


def take(a: Symbol, indices: Symbol, axis: int | None = None, mode: str = "raise") -> Symbol:
    """Take elements, or what is at places of ``axis``."""
    data = ravel(a) if axis is None else a
    return _node("take", [data, indices], axis=axis or 0, mode=mode)


def clip(a: Symbol, a_min: float | None, a_max: float | None, out: None = None) -> Symbol:  # noqa: ARG001 - NumPy's
    """Limit the numbers to a range, which is open where a limit is None."""
    low, high = -inf if a_min is None else a_min, inf if a_max is None else a_max
    return _node("clip", [a], a_min=low, a_max=high)


def ravel(a: Symbol, order: str = "C") -> Symbol:
    """Return it with one axis."""
    return _node("_np_reshape", [a], newshape=(-1,), order=order)


def einsum(subscripts: str, *operands: Symbol, optimize: Any = False) -> Symbol:
    """Sum products as ``subscripts`` says."""
    return _node("_npi_einsum", operands, subscripts=subscripts, optimize=int(bool(optimize)))


def tensordot(a: Symbol, b: Symbol, axes: Any = 2) -> Symbol:
    """Sum products over ``axes``: how many of the last and the first, or which of each."""
    if isinstance(axes, (int, np.integer)):
        return _node("_npi_tensordot_int_axes", [a, b], axes=int(axes))
    of_a, of_b = (tuple(each) if isinstance(each, (list, tuple)) else (each,) for each in axes)
    return _node("_npi_tensordot", [a, b], a_axes_summed=of_a, b_axes_summed=of_b)


def zeros_like(a: Symbol, dtype: Any = None) -> Symbol:
    """Create zeros in the shape of ``a``."""
    return _node("_npi_full_like", [a], fill_value=0, dtype=dtype)


def ones_like(a: Symbol, dtype: Any = None) -> Symbol:
    """Create ones in the shape of ``a``."""
    return _node("_npi_full_like", [a], fill_value=1, dtype=dtype)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None, ctx: Any = None) -> Symbol:  # noqa: ARG001
    """Create a range from ``start``, or from 0 to ``start``."""
    first, last = (0, start) if stop is None else (start, stop)
    return _node("_npi_arange", [], start=first, stop=last, step=step, dtype=dtype or "float32")


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Symbol:
    """Create ``num`` numbers at equal distances."""
    return _node("_npi_linspace", [], start=start, stop=stop, num=num, endpoint=endpoint, dtype=dtype or "float32")


def identity(n: int, dtype: Any = None) -> Symbol:
    """Create a matrix with ones on its diagonal."""
    return _node("_npi_identity", [], shape=(n, n), dtype=dtype or "float32")


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Symbol:  # noqa: N803 - NumPy's
    """Create a matrix with ones on a diagonal."""
    return _node("_npi_eye", [], N=N, M=M, k=k, dtype=dtype or "float32")


#: Not among the module's names: some are those of Python's own functions.
_functions: dict[str, Callable[..., Any]] = {"clip": clip, "split": split, "take": take}


def _function(name: str) -> Callable[..., Any]:
    if name in _functions:
        return _functions[name]
    plain = _ALIASES.get(name, name)
    kinds = ((_CALLS, _of_arrays), (_OF_ONE, _of_one), (_OF_TWO, _of_two))
    make = next((make for names, make in kinds if plain in names), None)
    if make is None:
        refuse_missing(f"mx.sym.np.{name}")
    function = _functions[name] = make(plain)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"NumPy's {name} as a node of a graph."
    return function


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _function(name)


def __dir__() -> list[str]:
    own = [name for name, value in globals().items() if not name.startswith("_") and callable(value)]
    return sorted({*own, *_CALLS, *_OF_ONE, *_OF_TWO, *_ALIASES})
