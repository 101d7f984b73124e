"""Graphs, as ``mx.sym``: variables, every operator as a function, files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as _np  # noqa: ICN001 - np is what users call deep NumPy

from neuron_adapters.files.mxnet_params import DTYPES
from neuron_adapters.mxnet._calls import split_attributes
from neuron_adapters.mxnet._functions import Namespace
from neuron_adapters.mxnet._graph import Entry, Node, hidden
from neuron_adapters.mxnet._symbol_json import loads
from neuron_adapters.mxnet.attribute import scoped
from neuron_adapters.mxnet.base import MXNetValueError, reading
from neuron_adapters.mxnet.operators import names as operator_names
from neuron_adapters.mxnet.symbol import _control
from neuron_adapters.mxnet.symbol._compose import create
from neuron_adapters.mxnet.symbol._symbol import Symbol, functions, load_json
from neuron_adapters.mxnet.symbol.random import rand_zipfian

__all__ = [
    "Group", "Symbol", "Variable", "arange", "contrib", "eye", "fromjson", "full", "histogram", "hypot", "linalg",
    "load", "load_json", "maximum", "minimum", "ones", "pow", "power", "split_v2", "var", "zeros",
]  # fmt: skip

if TYPE_CHECKING:
    from neuron_adapters.mxnet.symbol import _operators
    from neuron_adapters.mxnet.symbol._operators import *  # noqa: F403 - what __getattr__ makes
    from neuron_adapters.mxnet.symbol._operators import Contrib, Image, Linalg

    __all__ += _operators.__all__

contrib: Contrib = Namespace(  # type: ignore[assignment]
    functions, "_contrib_", cond=_control.cond, foreach=_control.foreach, while_loop=_control.while_loop,
    rand_zipfian=rand_zipfian,
)  # fmt: skip
image: Image = Namespace(functions, "_image_")  # type: ignore[assignment]
linalg: Linalg = Namespace(functions, "_linalg_")  # type: ignore[assignment]
op: Namespace = Namespace(functions, "")
sparse: Namespace = Namespace(functions, "")
_internal = Namespace(functions, "")

fromjson = load_json

#: MXNet's variables take no others.
_DTYPES = DTYPES[: DTYPES.index("bool") + 1]
#: Modules that are imported at first use.
_MODULES = {
    "symbol": "symbol", "random": "random", "np": "numpy", "numpy": "numpy", "npx": "numpy_extension",
    "numpy_extension": "numpy_extension",
}  # fmt: skip
_STORAGE = {"default": 0, "row_sparse": 1, "csr": 2}


def var(
    name: str,
    attr: Mapping[str, str] | None = None,
    shape: Sequence[int] | int | None = None,
    lr_mult: float | None = None,
    wd_mult: float | None = None,
    dtype: Any = None,
    init: Any = None,
    stype: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """Create a variable: an input of the graph. ``shape`` and ``dtype`` are what is inferred from; the others are kept
    in its attributes, as are ``kwargs``, whose names begin and end with two underscores.

    Raises TypeError for a name that is not a string, MXNetValueError, a ValueError, for other attributes.
    """
    if not isinstance(name, str):
        raise TypeError(f"a variable's name is a string, got {name!r}")
    for key, value in (attr or {}).items():
        if not isinstance(value, str):
            raise MXNetValueError(f"an attribute is a string, got {key}={value!r}.")
    attrs = scoped(attr)
    reserved = {
        "__shape__": None if shape is None else str(shape),
        "__lr_mult__": None if lr_mult is None else str(lr_mult),
        "__wd_mult__": None if wd_mult is None else str(wd_mult),
        "__dtype__": None if dtype is None else str(_DTYPES.index(_np.dtype(dtype).name)),
        "__init__": init if init is None or isinstance(init, str) else init.dumps(),
        "__storage_type__": None if stype is None else str(_STORAGE[stype]),
    }
    attrs.update({key: value for key, value in reserved.items() if value is not None})
    for key, value in kwargs.items():
        if not (key.startswith("__") and key.endswith("__")):
            raise MXNetValueError(f"attributes of your own begin and end with two underscores, got {key}.")
        attrs[key] = str(value)
    node = Node("null", name, {hidden(key): value for key, value in attrs.items()})
    return Symbol([Entry(node)])


Variable = var


def Group(symbols: Sequence[Symbol]) -> Symbol:  # noqa: N802 - MXNet's name
    """Group the outputs of symbols into one Symbol."""
    if not symbols or not all(isinstance(symbol, Symbol) for symbol in symbols):
        raise TypeError("Group() takes a list of symbols")
    return Symbol([entry for symbol in symbols for entry in symbol._entries])


def load(fname: str | os.PathLike[str]) -> Symbol:
    """Load the Symbol in a file. Raises FormatError for a damaged one and UnreadableError, MXNetErrors both."""
    with reading(fname), open(fname, "rb") as file:
        return Symbol(loads(file.read()), os.fspath(fname))


def zeros(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Create zeros."""
    return _filled("_zeros", kwargs, shape=shape, dtype=dtype or "float32")


def ones(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Create ones."""
    return _filled("_ones", kwargs, shape=shape, dtype=dtype or "float32")


def full(shape: Any, val: float, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Create an array filled with ``val``."""
    return _filled("_full", kwargs, shape=shape, dtype=dtype or "float32", value=float(val))


def eye(N: int, M: int = 0, k: int = 0, dtype: Any = None, **kwargs: Any) -> Symbol:  # noqa: N803
    """Create a matrix with ones on a diagonal."""
    return _filled("_eye", kwargs, N=N, M=M, k=k, dtype=dtype or "float32")


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """Create a range from ``start``, or from 0 to ``start`` where ``stop`` is not given."""
    attrs = {"start": start, "stop": stop, "step": step, "repeat": repeat, "infer_range": infer_range}
    return _filled("_arange", {"name": name}, **attrs, dtype=dtype or "float32")


def split_v2(
    ary: Symbol, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False
) -> Symbol:
    """Split into equal parts, or at indices."""
    attrs = split_attributes(indices_or_sections, axis, squeeze_axis)
    return Symbol(create("_split_v2", [ary], {}, attrs))


def histogram(
    a: Symbol,
    bins: int | Symbol = 10,
    range: Sequence[float] | None = None,  # noqa: A002 - MXNet's
    **kwargs: Any,
) -> Symbol:
    """Count the numbers of ``a`` in each bin; the counts, and the bounds of the bins. ``bins``: how many there are
    between the two ends of ``range``, or all bounds."""
    inputs, attrs = [a], {}
    if isinstance(bins, Symbol):
        inputs.append(bins)
    elif range is None:
        raise MXNetValueError("histogram() of a Symbol takes range=(low, high), or a Symbol of bounds as bins.")
    else:
        attrs = {"bin_cnt": bins, "range": tuple(range)}
    return Symbol(create("_histogram", inputs, {}, attrs, kwargs.get("name"), kwargs.get("attr")))


def power(base: Any, exp: Any) -> Symbol:
    """Raise ``base`` to the power ``exp``; either may be a number."""
    return _of_either("power", base, exp)


pow = power  # noqa: A001 - MXNet's name


def maximum(left: Any, right: Any) -> Symbol:
    """Return the elementwise maximum; either operand may be a number."""
    return _of_either("maximum", left, right)


def minimum(left: Any, right: Any) -> Symbol:
    """Return the elementwise minimum; either operand may be a number."""
    return _of_either("minimum", left, right)


def hypot(left: Any, right: Any) -> Symbol:
    """Return the root of the sum of squares; either operand may be a number."""
    return _of_either("hypot", left, right)


def _of_either(kind: str, left: Any, right: Any) -> Symbol:
    return left._combined(kind, right) if isinstance(left, Symbol) else right._combined(kind, left, swapped=True)


def _filled(operator: str, keywords: Mapping[str, Any], **attrs: Any) -> Symbol:
    more = {key: value for key, value in keywords.items() if key not in ("name", "attr")}
    return Symbol(create(operator, [], {}, {**attrs, **more}, keywords.get("name"), keywords.get("attr")))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    return functions.of(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in operator_names() if not name.startswith("_"))})
